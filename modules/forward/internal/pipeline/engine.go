// Package pipeline delivers the alerts of the held partitions: each to exactly one end, delivered or dead-lettered.
//
// Principles:
//  1. The unit of order is the chain: the alerts of one signature in a partition. The first ones of a chain go, the
//     others wait; chains do not wait for each other.
//  2. Nothing sleeps with an alert in hand. A failed alert is scheduled, and a worker takes another.
//  3. Whoever sends next is decided at the last moment: when a worker is free, the breaker closed and a token taken.
//  4. The truth is beside the entry in the queue. Progress is written in groups; what a crash repeats was sent since the
//     last write, and goes out with the same id.
//  5. A settlement may be repeated without harm: counts go with the ack, and a progress note replaces the one before.
//  6. Memory is bounded per partition; what is beyond stays in the queue.
package pipeline

import (
	"context"
	"errors"
	"github.com/muttproject/mutt/platform/trouble"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
)

// Config bounds an Engine. All fields are required.
type Config struct {
	Workers   int // requests at a time
	BatchMax  int // alerts per request
	MaxAlerts int // alerts of one partition in memory
}

const (
	// MaxAlerts is the Config.MaxAlerts of a process.
	MaxAlerts = 10_000

	maxBytes   = 16 << 20               // entries of one partition in memory, as stored
	flushEvery = 100 * time.Millisecond // between writes of progress
	drain      = 4 * time.Second        // for requests in flight when work stops, while the lease is still renewed
)

// Deps are what an Engine needs, all of them.
type Deps struct {
	Destination dest.Destination
	Limiter     *coord.Limiter
	Breaker     *coord.Breaker
	Taken       *coord.Pulse // beats when the destination takes an alert, from whatever process
	Settings    func() Settings
	Metrics     *Metrics
	Trouble     *trouble.Board
	Now         func() time.Time
}

// Engine sends for all partitions of a process.
type Engine struct {
	cfg      Config
	deps     Deps
	troubles *troubles
	free     chan struct{} // holds a token per busy worker
	jobs     chan job
	wake     chan struct{} // something may have become ready

	turns *coord.Turns // of the dispatcher

	mu        sync.Mutex // guards what follows, and everything of the partitions
	parts     []*partition
	turn      int // the partition that picks next
	health    health
	delivered int64     // requests that the destination took
	nextTry   time.Time // when a waiting alert is tried before its time, see early
	recalled  time.Time // see recall
}

// job is one request.
type job struct {
	part   *partition
	chains []*chain
	items  []*item
	permit coord.Permit

	delivered int64 // Engine.delivered when it began
}

// reportTime bounds what is reported to other processes, which may outlive the work.
const reportTime = 2 * time.Second

// New returns an Engine.
func New(c Config, d Deps) *Engine {
	deps.Must(d)
	if c.Workers < 1 || c.BatchMax < 1 || c.MaxAlerts < 1 {
		panic("pipeline: a bound is not set")
	}
	return &Engine{cfg: c, deps: d, troubles: newTroubles(d.Trouble), free: make(chan struct{}, c.Workers), jobs: make(chan job), wake: make(chan struct{}, 1), turns: d.Limiter.Turns()}
}

// Run sends until ctx ends. The caller ends Work first.
func (e *Engine) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range e.cfg.Workers {
		workers.Go(e.worker)
	}
	e.dispatch(ctx)
	close(e.jobs)
	workers.Wait()
}

// worker sends what the dispatcher hands to it.
func (e *Engine) worker() {
	var alerts []*event.Alert
	for j := range e.jobs {
		alerts = alerts[:0]
		for _, it := range j.items {
			alerts = append(alerts, it.alert)
		}
		start := e.deps.Now()
		r := e.deps.Destination.Send(j.part.send, alerts)
		clear(alerts)
		e.deps.Metrics.request(r, e.deps.Now().Sub(start))
		e.finish(j, r, e.report(j, r))
		<-e.free
	}
}

// report informs the other processes: by the breaker whether the destination works, by the pulse that it took something. After a failure it
// returns the state of the pulse. An aborted request says nothing about the destination.
func (e *Engine) report(j job, r dest.Result) (taken int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(j.part.send), reportTime) // the result counts also when work stops
	defer cancel()
	var err error
	if r.Class == dest.Aborted {
		err = j.permit.Cancel(ctx)
	} else {
		err = j.permit.Done(ctx, r.Alive)
	}
	taken = unknown
	switch r.Class {
	case dest.Delivered:
		err = errors.Join(err, e.deps.Taken.Beat(ctx))
	case dest.Retry, dest.Deferred:
		if n, failed := e.deps.Taken.Count(ctx); failed == nil {
			taken = n
		} else {
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		e.troubles.unshared.Add(1, zap.Error(err))
	}
	return taken
}

// dispatch matches ready alerts with free workers.
func (e *Engine) dispatch(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for e.awaitReady(ctx, timer) {
		select {
		case e.free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		if j, ok := e.next(ctx); ok {
			e.jobs <- j
		} else {
			<-e.free
		}
	}
}

// awaitReady returns true when a chain is ready, false when ctx ended.
func (e *Engine) awaitReady(ctx context.Context, timer *time.Timer) bool {
	for {
		ready, due := e.look()
		if ready {
			return ctx.Err() == nil
		}
		timer.Reset(due)
		select {
		case <-e.wake:
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
}

// look returns whether a chain is ready, or how long until one is due.
func (e *Engine) look() (ready bool, due time.Duration) {
	now := e.deps.Now()
	due = time.Hour
	e.mu.Lock()
	defer e.mu.Unlock()
	e.early(now)
	for _, p := range e.parts {
		p.promote(now)
		if p.ready.len() > 0 {
			return true, 0
		}
		if len(p.waiting) > 0 {
			due = min(due, p.waiting[0].due().Sub(now), e.nextTry.Sub(now))
		}
	}
	return false, due
}

// next waits for breaker and rate limit and only then picks the alerts.
func (e *Engine) next(ctx context.Context) (job, bool) {
	permit, ok := e.permit(ctx)
	if !ok {
		return job{}, false
	}
	waited, err := e.turns.Wait(ctx, e.wanted())
	if waited {
		e.deps.Metrics.limited.Inc()
	}
	var j job
	if err == nil {
		j, ok = e.pick(permit)
		if ok {
			return j, true
		}
	}
	e.coordAway(ctx, errors.Join(err, e.giveBack(ctx, permit)))
	return job{}, false
}

// wanted is for how many requests there are alerts now, at most one for each worker.
func (e *Engine) wanted() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	ready := 0
	for _, p := range e.parts {
		ready += (p.ready.len() + e.cfg.BatchMax - 1) / e.cfg.BatchMax
	}
	return min(ready, e.cfg.Workers)
}

// giveBack cancels a permit, also when ctx ended: others wait for a probe.
func (e *Engine) giveBack(ctx context.Context, p coord.Permit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportTime)
	defer cancel()
	return p.Cancel(ctx)
}

// permit waits until the breaker and the destination's own wishes allow a request.
func (e *Engine) permit(ctx context.Context) (coord.Permit, bool) {
	for ctx.Err() == nil {
		wait := e.held()
		if wait == 0 {
			permit, again, ok, err := e.deps.Breaker.Allow(ctx)
			if ok {
				return permit, true
			}
			wait = again
			e.coordAway(ctx, err)
		}
		if sleep(ctx, wait) != nil {
			break
		}
		if ready, _ := e.look(); !ready {
			break
		}
	}
	return coord.Permit{}, false
}

// coordAway logs that the coordination did not answer, and waits: nothing is sent without it.
func (e *Engine) coordAway(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	e.troubles.coordination.Add(1, zap.Error(err))
	_ = sleep(ctx, time.Second) // an ended context ends the caller's loop too
}

// pick takes alerts for one request of one partition; the partitions take turns.
func (e *Engine) pick(permit coord.Permit) (job, bool) {
	now := e.deps.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if permit.Probe() {
		j, ok := e.probe(now)
		j.permit, j.delivered = permit, e.delivered
		return j, ok
	}
	for range e.parts {
		e.turn = (e.turn + 1) % len(e.parts)
		p := e.parts[e.turn]
		p.promote(now)
		if j := p.pick(e.cfg.BatchMax, now); len(j.items) > 0 {
			j.permit, j.delivered = permit, e.delivered
			if it := j.items[0]; it.state == scheduled && !it.blamed {
				e.nextTry = now.Add(tryEvery)
			}
			return j, true
		}
	}
	return job{}, false
}

func (e *Engine) signal() { notify(e.wake) }

func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
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
