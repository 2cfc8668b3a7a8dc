package forward

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// successesEvery is how often the successes of a process are noted for the others.
const successesEvery = time.Second

// successes watches what the destination takes, and notes it where other processes see it: the janitor replays dead
// letters by it.
type successes struct {
	dest.Destination
	shared *coord.Successes
	log    *zap.Logger

	taken     atomic.Bool  // something since the last note
	failures  atomic.Int64 // requests in a row that failed
	recovered atomic.Bool  // something was taken after failures, and that is not noted yet
}

// Send sends, and remembers the result. An alert that was refused for what it is says nothing about the destination.
func (s *successes) Send(ctx context.Context, alerts []*event.Alert) dest.Result {
	r := s.Destination.Send(ctx, alerts)
	switch {
	case r.Class == dest.Delivered:
		if s.failures.Load() > 0 {
			if n := s.failures.Swap(0); n >= failuresToTell {
				s.log.Info("the destination takes alerts again", zap.Int64("failed_requests", n))
			}
			s.recovered.Store(true)
		}
		s.taken.Store(true)
	case r.Class != dest.Aborted && r.Class != dest.Rejected:
		if s.failures.Add(1) == failuresToTell {
			s.log.Warn("the destination fails: alerts wait", zap.String("reason", r.Reason), zap.String("detail", r.Detail))
		}
	}
	return r
}

// note notes what happened, once per successesEvery, until ctx ends. What cannot be noted is noted later.
func (s *successes) note(ctx context.Context) {
	tick := time.NewTicker(successesEvery)
	defer tick.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.taken.Swap(false) {
			continue
		}
		recovery := ""
		if s.recovered.Swap(false) {
			recovery = queue.NewEntryID().String()
		}
		err := s.shared.Note(ctx, recovery)
		if err != nil {
			s.taken.Store(true)
			if recovery != "" {
				s.recovered.Store(true)
			}
			if !away && ctx.Err() == nil {
				s.log.Warn("cannot note that the destination takes alerts: dead letters are replayed later", zap.Error(err))
			}
		}
		away = err != nil
	}
}
