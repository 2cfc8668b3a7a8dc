package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// Where Redis hangs, a change waits a moment for its publication and no longer; the next one, and the end of the process,
// do not wait for the one that hangs.
func TestAHangingPublicationKeepsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		var put []int64
		p := newPublisher(func(ctx context.Context, s *settled) error {
			select {
			case <-hangs:
				put = append(put, s.Revision)
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, zap.NewNop())
		offer := func(revision int64, wait time.Duration) {
			t.Helper()
			begun := time.Now()
			p.offer(&settled{Revision: revision})
			if took := time.Since(begun); took != wait {
				t.Errorf("revision %d waited for %v, want %v", revision, took, wait)
			}
		}
		offer(1, publishWait)
		offer(2, 0) // the first is under way still
		close(hangs)
		synctest.Wait()
		offer(2, 0)
		offer(2, 0) // was done lately
		time.Sleep(republish)
		offer(2, 0) // it may have been lost
		hangs = make(chan struct{})
		offer(3, publishWait)
		p.stop()
		offer(4, 0)
		if len(put) != 3 || put[0] != 1 || put[1] != 2 || put[2] != 2 {
			t.Errorf("published %v", put)
		}
	})
}

func TestAFailedPublicationIsToldOnce(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.WarnLevel)
	err := errors.New("away")
	p := newPublisher(func(context.Context, *settled) error { return err }, zap.New(core))
	defer p.stop()
	offer := func() {
		p.offer(&settled{Revision: 1})
		p.running.Wait()
	}
	for range 3 {
		offer()
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("told %d times", n)
	}
	err = nil
	offer()
	err = errors.New("away again")
	p.at = time.Time{}
	offer()
	if n := logs.Len(); n != 2 {
		t.Errorf("told %d times", n)
	}
}
