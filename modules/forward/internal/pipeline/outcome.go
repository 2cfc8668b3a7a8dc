package pipeline

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// finish applies a request's result to its alerts and lets their chains go on.
func (e *Engine) finish(j job, r dest.Result) {
	died := e.apply(j, r, e.deps.Now())
	e.signal()
	for _, it := range died {
		e.deps.Logger.Warn("alert dead-lettered", zap.Stringer("event_id", it.alert.Event.ID), zap.String("reason", r.Reason),
			zap.String("correlation_id", it.alert.Event.CorrelationID), zap.Int("status", r.Status), zap.Int("attempts", it.attempts))
	}
}

// apply gives the alerts that died of the result: they alone are nobody else's after it.
func (e *Engine) apply(j job, r dest.Result, now time.Time) (died []*item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.health.observe(r, now)
	switch {
	case r.Class == dest.Rejected && len(j.items) > 1:
		// One of them may be to blame: each goes alone now. This was no attempt.
		for _, it := range j.items {
			it.solo = true
		}
	case r.Class == dest.Aborted:
	default:
		for _, it := range j.items {
			e.settle(j.part, it, r, now)
			if it.state == dead {
				died = append(died, it)
			}
		}
	}
	for _, c := range j.chains {
		c.compact()
		j.part.activate(c, now)
	}
	if j.part.inflight--; j.part.inflight == 0 {
		notify(j.part.quiet)
	}
	return died
}

// settle moves one alert to its next state.
func (e *Engine) settle(p *partition, it *item, r dest.Result, now time.Time) {
	if it.first.IsZero() && r.Class != dest.Unreachable {
		it.first = now
	}
	switch r.Class {
	case dest.Delivered:
		it.state = delivered
		it.entry.left--
		it.entry.latency.Add(now.Sub(event.Time(it.alert.Event.ReceivedAt)))
		e.deps.Metrics.delivered.Inc()
	case dest.Rejected:
		it.attempts++
		p.bury(it, queue.DeadRejected, fateRejected, r.Detail)
	case dest.Retry:
		it.attempts++
		if it.attempts > e.deps.Settings().MaxRetries {
			p.bury(it, queue.DeadExhausted, fateExhausted,
				fmt.Sprintf("given up after %d attempts, the last one: %s", it.attempts, r.Detail))
		} else {
			e.schedule(it, r, now)
		}
	case dest.Unreachable:
		e.schedule(it, r, now)
	}
	p.touch(it.entry)
}

func (e *Engine) schedule(it *item, r dest.Result, now time.Time) {
	it.failures++
	it.state = scheduled
	it.due = now.Add(max(r.RetryAfter, e.deps.Settings().fullJitter(it.failures)))
	e.deps.Metrics.alert(fateScheduled, 1)
}

// bury makes a dead letter of an alert; the next write takes it to the queue.
func (p *partition) bury(it *item, code, fate, reason string) {
	it.state = dead
	it.entry.left--
	it.entry.parked++
	p.dead = append(p.dead, queue.DeadLetter{ID: it.alert.Event.ID, Queue: queue.Alert,
		Body: event.EncodeAlerts([]event.Alert{*it.alert}), Hostname: it.alert.Event.Hostname,
		Code: code, Reason: reason, Attempts: it.entry.attempts + it.attempts,
		Replays: it.entry.replays, First: it.first})
	p.engine.deps.Metrics.alert(fate, 1)
}
