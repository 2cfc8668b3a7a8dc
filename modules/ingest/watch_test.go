package ingest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/trouble"
)

// told is a Writer that answers as it is told.
type told struct{ err error }

func (w *told) Append(context.Context, []queue.Item) error { return w.err }

// TestHealthFollowsTheLastSubmission: a queue that cannot be written is an error, a full one a warning, until a
// submission is taken or nothing was tried for a while.
func TestHealthFollowsTheLastSubmission(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	inner := &told{}
	clock := func() time.Time { return now }
	board := trouble.NewBoard(zap.NewNop(), clock)
	w := &watchedWriter{Writer: inner, now: clock, troubles: newTroubles(board)}
	submit := func(err error) {
		t.Helper()
		inner.err = err
		if got := w.Append(t.Context(), nil); !errors.Is(got, err) {
			t.Fatalf("the answer became %v", got)
		}
	}
	expect := func(wantWarning, wantError bool) {
		t.Helper()
		board.Look()
		warnings, err := board.Warnings(), w.ready()
		if (len(warnings) > 0) != wantWarning || (err != nil) != wantError {
			t.Errorf("ready says %v, %v", warnings, err)
		}
	}
	expect(false, false)
	submit(fault.New(fault.QueueUnavailable, "the disk is full"))
	expect(true, true)
	submit(&queue.PartialError{}) // some were taken, some were known: says nothing of the disk
	submit(context.Canceled)
	expect(true, true)
	submit(nil)
	expect(true, false) // it is over when nothing fails for a while
	now = now.Add(failureTold + time.Second)
	expect(false, false)
	submit(fault.New(fault.QueueFull, "the queue holds 10 events"))
	expect(true, false)
	if warnings := board.Warnings(); len(warnings) != 1 || !strings.Contains(warnings[0], "holds 10 events") {
		t.Errorf("ready says %v", warnings)
	}
	now = now.Add(failureTold + time.Second)
	expect(false, false)
}
