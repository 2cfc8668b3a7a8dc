// Package remedy replays dead letters automatically (the dynamic keys remediation_*).
//
// Principles:
//  1. Only what may succeed unchanged is replayed; deadletter.ClassOf decides. What used up max_poison_retries is given up.
//  2. A replay never floods: the next step goes when the entries of the former are settled. What stays in the queue for longer than
//     an interval takes up a place of each step, and holds up nothing else.
//  3. A destination that is not proven gets one letter; the others follow when it took something.
//  4. A replay that an outage ended is not held against the letter.
//  5. It may stop anywhere: a letter is in the dead letters or in its queue, never in between, and carries its own count.
package remedy

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// Store is what remediation needs of the store.
type Store interface {
	Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error)
}

// Queue is what remediation needs of the queue.
type Queue interface {
	Depth(ctx context.Context, q queue.Name) (queue.Depth, error)
	Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error)
	Requeue(ctx context.Context, p queue.RequeueParams) (int, error)
	GiveUp(ctx context.Context, q queue.Name, ids []event.ID) (int, error)
	Stored(ctx context.Context, q queue.Name, entries []event.ID) ([]event.ID, error)
}

// Deps are what remediation needs. All are required.
type Deps struct {
	Store     Store
	Queue     Queue
	Coord     coord.Coord
	Dynamic   Dynamic
	QueueWarn config.Value[int64] // alerts that wait, above which nothing is added
	// BreakerEnabled says whether the destination's circuit breaker counts.
	BreakerEnabled config.Value[bool]

	Leading    func() bool // only the janitor that leads replays
	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

const (
	lookEvery = time.Second
	// publishEvery keeps the published plan alive, see deadletter.PlanLife.
	publishEvery = 10 * time.Second
)

// Remediation replays the dead letters of all queues, each queue in a goroutine of its own: one that waits does not hold
// up the other.
type Remediation struct {
	Deps
	metrics *metrics
	workers []*worker
	news    chan struct{} // a plan has changed

	mu   sync.Mutex
	plan deadletter.Plan
}

// New returns a Remediation. It does no I/O.
func New(d Deps) *Remediation {
	deps.Must(d)
	r := &Remediation{Deps: d, metrics: newMetrics(d.Registerer), news: make(chan struct{}, 1), plan: deadletter.Plan{}}
	for _, q := range queue.Names() {
		r.workers = append(r.workers, &worker{Remediation: r, queue: q})
	}
	return r
}

// Run works until ctx ends.
func (r *Remediation) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, w := range r.workers {
		all.Go(func() { w.loop(ctx) })
	}
	all.Go(func() { r.publish(ctx) })
	all.Wait()
}

// publish keeps the plan where all processes see it, while this process leads.
func (r *Remediation) publish(ctx context.Context) {
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-r.news:
		}
		if !r.Leading() {
			continue
		}
		r.mu.Lock()
		plan := make(deadletter.Plan, len(r.plan))
		for q, p := range r.plan {
			if p != (deadletter.QueuePlan{}) { // else this process has not looked at them since it leads
				plan[q] = p
			}
		}
		r.mu.Unlock()
		if len(plan) == 0 {
			continue
		}
		err := deadletter.Publish(ctx, r.Coord, plan)
		if err != nil && !failing && ctx.Err() == nil {
			r.Log.Warn("cannot publish what remediation plans: /health does not show it", zap.Error(err))
		}
		failing = err != nil
	}
}

// planned sets the plan for a queue.
func (r *Remediation) planned(q queue.Name, p deadletter.QueuePlan) {
	r.mu.Lock()
	changed := r.plan[q] != p
	r.plan[q] = p
	r.mu.Unlock()
	if !changed {
		return
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// health is what is known of the destination.
type health struct {
	closed   bool // its circuit breaker
	recent   bool // it took an alert within coord.SuccessLife
	recovery string
}

func (r *Remediation) health(ctx context.Context) (h health, err error) {
	h.closed = true
	if r.BreakerEnabled.Get() {
		state, err := coord.BreakerState(ctx, r.Coord, coord.Destination)
		if err != nil {
			return health{}, err
		}
		h.closed = state == coord.StateClosed
	}
	last, err := coord.NewSuccesses(r.Coord, coord.Destination).Last(ctx)
	if err != nil {
		return health{}, err
	}
	h.recent, h.recovery = last.Recent, last.Recovery
	r.metrics.healthy(h.closed && h.recent)
	return h, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
