package forward

import (
	"context"
	"github.com/muttproject/mutt/platform/trouble"
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
	shared  *coord.Successes
	log     *zap.Logger
	failing *trouble.State
	open    *trouble.State
	breaker *coord.Breaker
	now     func() time.Time

	answers   *answers
	taken     atomic.Bool  // something since the last note
	failures  atomic.Int64 // requests in a row that failed
	recovered atomic.Bool  // something was taken after failures, and that is not noted yet
}

// answers remembers the last answers of the destination.
type answers struct {
	status          atomic.Int64
	failed          atomic.Bool  // requests failed since the last delivery
	same            atomic.Int64 // their status while it is the same for all, else 0
	sent, delivered atomic.Int64 // Unix ms; 0 for never
}

func (a *answers) note(r dest.Result, now time.Time) {
	if r.Class == dest.Aborted {
		return
	}
	a.status.Store(int64(r.Status))
	a.sent.Store(now.UnixMilli())
	switch {
	case r.Class == dest.Delivered:
		a.delivered.Store(now.UnixMilli())
		a.failed.Store(false)
	case r.Class == dest.Rejected: // for what the alert is
	case !a.failed.Swap(true):
		a.same.Store(int64(r.Status))
	case a.same.Load() != int64(r.Status):
		a.same.Store(0)
	}
}

// Answers is what a forwarder remembers of the destination's last answers.
type Answers struct {
	Status          int       // of the last request, 0 without an answer
	Failed          bool      // requests failed since the last delivery
	Same            int       // the status of all of these, 0 when they differ or had no answer
	Sent, Delivered time.Time // of the last request and the last delivery; zero for never
}

// Answers returns what the destination answered last.
func (m *Module) Answers() Answers {
	at := func(n *atomic.Int64) time.Time {
		if ms := n.Load(); ms != 0 {
			return time.UnixMilli(ms).UTC()
		}
		return time.Time{}
	}
	return Answers{Status: int(m.answers.status.Load()), Failed: m.answers.failed.Load(), Same: int(m.answers.same.Load()), Sent: at(&m.answers.sent), Delivered: at(&m.answers.delivered)}
}

// Send sends, and remembers the result. An alert that was refused for what it is says nothing about the destination.
func (s *successes) Send(ctx context.Context, alerts []*event.Alert) dest.Result {
	r := s.Destination.Send(ctx, alerts)
	s.answers.note(r, s.now())
	switch {
	case r.Class == dest.Delivered:
		if s.failures.Load() > 0 {
			s.failures.Store(0)
			s.failing.Set(false)
			s.recovered.Store(true)
		}
		s.taken.Store(true)
	case r.Class != dest.Aborted && r.Class != dest.Rejected:
		if n := s.failures.Add(1); n >= failuresToTell {
			s.failing.Describe(r.Brief + hint(r.Reason))
			s.failing.Add(1, zap.String("reason", r.Reason), zap.String("detail", r.Detail))
			s.failing.Set(true)
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
		state := s.breaker.State()
		s.open.Set(state != coord.StateClosed)
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
