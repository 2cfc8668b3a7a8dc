package pipeline

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// longestWait is how long an alert waits in an outage before it is parked.
const longestWait = 24 * time.Hour

// sweepMost bounds the alerts that one failure parks because they waited too long: they are written in one step.
const sweepMost = 500

// finish applies a request's result to its alerts and lets their chains go on.
func (e *Engine) finish(j job, r dest.Result, taken int64) {
	died := e.apply(j, r, taken, e.deps.Now())
	e.signal()
	if len(died) > 0 {
		first := died[0]
		e.troubles.parked.Describe(r.Brief)
		e.troubles.parked.Add(int64(len(died)), zap.Stringer("event_id", first.alert.Event.ID), zap.String("reason", r.Reason),
			zap.String("correlation_id", first.alert.Event.CorrelationID), zap.Int("status", r.Status), zap.Int("attempts", first.attempts))
	}
}

// apply returns the alerts that the result ended: they alone belong to nobody else after it. taken is what Deps.Taken
// said after a failure.
func (e *Engine) apply(j job, r dest.Result, taken int64, now time.Time) (died []*item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	// After answers that asked for patience, being taken does not mean that all may come at once.
	back := r.Class == dest.Delivered && e.health.failures > 0 && !e.health.last.Alive
	e.health.observe(r, now)
	if r.Class == dest.Delivered {
		e.delivered++
	}
	blamed := r.Class == dest.Retry && e.blames(j, taken)
	switch {
	case r.Class == dest.Aborted:
	case len(j.items) > 1 && r.Class == dest.Rejected:
		// One of them may be to blame: each goes alone now. This was no attempt.
		for _, it := range j.items {
			it.solo = true
		}
	case len(j.items) > 1 && blamed:
		// The same, but it may be a coincidence: the second time in a row each goes alone.
		for _, it := range j.items {
			it.solo = it.blamed
			e.schedule(it, r, now)
			j.part.touch(it.entry)
		}
	default:
		for _, it := range j.items {
			e.settle(j.part, it, r, blamed, now)
			if it.state == dead {
				died = append(died, it)
			}
		}
	}
	if r.Class != dest.Aborted {
		for _, it := range j.items {
			it.tried, it.blamed = now, blamed
			it.seen = sight{known: true, delivered: e.delivered, taken: taken}
		}
	}
	for _, c := range j.chains {
		c.compact()
		j.part.activate(c, now)
	}
	if back {
		e.recall(now)
	}
	if r.Class == dest.Retry || r.Class == dest.Deferred {
		died = append(died, e.sweep(j.part, r, now)...)
	}
	if j.part.inflight--; j.part.inflight == 0 {
		notify(j.part.quiet)
	}
	return died
}

// sight is what was known of deliveries when an alert was tried last.
type sight struct {
	known     bool
	delivered int64 // by this process
	taken     int64 // Deps.Taken, by all processes; unknown when it could not be asked
}

// unknown is less than every state of Deps.Taken.
const unknown = -1

// blames reports whether a failure is the doing of the alerts in the request, and no outage: since the last try of one of them, or
// else during this one, the destination took another alert. A pulse that went back has expired, or Redis came back older.
func (e *Engine) blames(j job, taken int64) bool {
	for _, it := range j.items {
		here, there := it.seen.delivered, it.seen.taken != unknown && taken > it.seen.taken
		if !it.seen.known {
			here, there = j.delivered, false
		}
		if e.delivered != here || there {
			return true
		}
	}
	return false
}

// settle moves one alert to its next state. An attempt counts only when the failure is the alert's doing; else the alert waits, which
// costs it nothing for a day.
func (e *Engine) settle(p *partition, it *item, r dest.Result, blamed bool, now time.Time) {
	if it.first.IsZero() {
		it.first = now
	}
	switch {
	case r.Class == dest.Delivered:
		it.state = delivered
		it.entry.left--
		p.delivered++
		p.latency.Add(now.Sub(event.Time(it.alert.Event.ReceivedAt)))
		e.deps.Metrics.delivered.Inc()
	case r.Class == dest.Rejected:
		it.attempts++
		p.bury(it, queue.DeadRejected, r.Detail)
	case blamed:
		it.attempts++
		if it.attempts > e.deps.Settings().MaxRetries {
			p.bury(it, queue.DeadExhausted,
				fmt.Sprintf("given up after %d attempts while other alerts were delivered, the last one: %s", it.attempts, r.Detail))
		} else {
			e.schedule(it, r, now)
		}
	case now.Sub(it.first) >= longestWait:
		p.outlast(it, r)
	default:
		e.schedule(it, r, now)
	}
	p.touch(it.entry)
}

func (e *Engine) schedule(it *item, r dest.Result, now time.Time) {
	it.failures++
	it.state = scheduled
	it.asked = r.RetryAfter > 0
	it.due = now.Add(max(r.RetryAfter, e.deps.Settings().fullJitter(it.failures)))
	e.deps.Metrics.alert(fateScheduled, 1)
}

// bury makes a dead letter of an alert; the next write takes it to the queue.
func (p *partition) bury(it *item, code, reason string) {
	it.state = dead
	it.entry.left--
	p.parked++
	p.dead = append(p.dead, queue.DeadLetter{ID: it.alert.Event.ID, Queue: queue.Alert,
		Body: event.EncodeAlerts([]event.Alert{*it.alert}), Hostname: it.alert.Event.Hostname,
		Code: code, Reason: reason, Attempts: it.entry.attempts + it.attempts,
		Replays: it.entry.replays, First: it.first})
	p.engine.deps.Metrics.alert(code, 1)
}

// outlast parks an alert that an outage outlasted.
func (p *partition) outlast(it *item, r dest.Result) {
	p.bury(it, queue.DeadOutage, fmt.Sprintf("waited for %d hours for the destination, the last answer: %s", longestWait/time.Hour, r.Detail))
}

// sweep parks the alerts of a partition that waited for a day although none of them was tried that long ago: held back by one of
// their signature, or by the breaker. The next failure goes on with what is over sweepMost.
func (e *Engine) sweep(p *partition, r dest.Result, now time.Time) (died []*item) {
	if now.Sub(e.health.since) < longestWait {
		return nil
	}
	for _, c := range p.chains {
		if c.sent > 0 { // in a request
			continue
		}
		n := 0
		for n < len(c.items) && len(died) < sweepMost && now.Sub(c.items[n].entry.appended) >= longestWait {
			p.outlast(c.items[n], r)
			p.touch(c.items[n].entry)
			died = append(died, c.items[n])
			n++
		}
		c.sent = n
		c.compact()
	}
	if len(died) > 0 {
		p.rearrange(now)
	}
	return died
}
