package api

import (
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// TestTheTailCountsOverDaysFromFewRows: a reader that runs for days counts each judged event once, also those of a process whose clock is two
// minutes behind, and reads an hour and a half of the book at most.
func TestTheTailCountsOverDaysFromFewRows(t *testing.T) {
	t.Parallel()
	b, now := newBundle(t), noon
	reader := tail{store: b.store, now: func() time.Time { return now }}
	judge := func(minute, n int64) {
		_, err := b.store.Judge(t.Context(), "a", []store.JudgedEntry{{Entry: queue.NewEntryID(),
			Counts: []store.LedgerCount{{Minute: minute, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: n}}}})
		b.must(err)
	}
	var counted books
	judge(noon.Unix()/60, 1000)
	l, _, err := reader.look(t.Context(), now, &counted, nil)
	b.must(err)
	if l.judged != 0 {
		t.Errorf("what was judged before the first look counts: %d", l.judged)
	}
	total, want := int64(0), int64(0)
	for i := range int64(300) {
		now = now.Add(11 * time.Minute)
		judge(now.Unix()/60, i)
		judge(now.Unix()/60-2, 3)
		want += i + 3
		l, _, err := reader.look(t.Context(), now, &counted, nil)
		b.must(err)
		total += l.judged
		if back := now.Unix()/60 - counted.from; back > 90 {
			t.Fatalf("counts from %d minutes ago on", back)
		}
	}
	if total != want {
		t.Errorf("counted %d judged events of %d", total, want)
	}
}
