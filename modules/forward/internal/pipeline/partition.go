package pipeline

import (
	"container/heap"
	"context"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/slo"
)

// partition is what this process holds of one partition. Engine.mu guards all but the fields of the first group.
type partition struct {
	engine *Engine
	holder Holder
	send   context.Context // of requests: ends when the lease is lost, or the time to drain is over
	store  context.Context // of the writes to the queue: outlives send, so that results can be noted
	quiet  chan struct{}   // no request is under way
	dirty  chan struct{}   // something waits to be written
	urgent chan struct{}   // much waits to be written
	room   chan struct{}   // memory was freed

	closing   bool
	chains    map[string]*chain
	ready     fifo
	waiting   waiting
	inflight  int
	alerts    int // in memory
	bytes     int
	unwritten int // results since the last write, and by their kind
	delivered int64
	parked    int64
	latency   slo.Latencies // of the delivered ones
	touched   []*entry      // entries with results to write
	dead      []queue.DeadLetter
}

// entry is one claimed entry.
type entry struct {
	id       event.ID
	items    []item
	alerts   []event.Alert
	bytes    int
	appended time.Time
	attempts int // of the dead letter that it was before
	replays  int // likewise
	left     int // unsettled alerts
	touched  bool
}

// promote moves the chains that are due to the ready ones.
func (p *partition) promote(now time.Time) {
	for len(p.waiting) > 0 && !p.waiting[0].due().After(now) {
		p.ready.push(heap.Pop(&p.waiting).(*chain))
	}
}

// activate puts a chain where its first alert belongs, or drops an empty one.
func (p *partition) activate(c *chain, now time.Time) {
	switch {
	case len(c.items) == 0:
		delete(p.chains, c.key)
	case c.due().After(now):
		heap.Push(&p.waiting, c)
	default:
		p.ready.push(c)
	}
}

// pick takes up to n alerts for one request.
func (p *partition) pick(n int, now time.Time) job {
	j := job{part: p}
	for !p.closing && len(j.items) < n {
		c := p.ready.pop()
		if c == nil {
			break
		}
		if c.items[0].solo && len(j.items) > 0 {
			p.ready.push(c)
			break
		}
		j.items = append(j.items, c.take(n-len(j.items), now)...)
		j.chains = append(j.chains, c)
		if c.items[0].solo {
			break
		}
	}
	if len(j.items) > 0 {
		p.inflight++
	}
	return j
}

// add takes the unsettled alerts of an entry in. What its note says is settled is counted when the note did not: its writer
// left that to the ack. Times that a clock wrote which was ahead must not hold an alert longer than its schedule and a day.
func (p *partition) add(e *entry, marks []mark, counted bool, now time.Time) {
	latest := now.Add(p.engine.longestDelay())
	if e.appended.After(now) {
		e.appended = now
	}
	e.items = make([]item, len(e.alerts))
	for i := range e.items {
		it := &e.items[i]
		it.alert, it.entry = &e.alerts[i], e
		if marks != nil {
			it.mark = marks[i]
			it.failures = it.attempts
		}
		if it.due.After(latest) {
			it.due = latest
		}
		if it.first.After(now) {
			it.first = now
		}
		switch {
		case !it.settled():
			e.left++
			p.enqueue(it, now)
		case counted:
		case it.state == dead:
			p.parked++
			p.touch(e)
		default:
			p.delivered++
			p.touch(e)
		}
	}
	p.alerts += len(e.items)
	p.bytes += e.bytes
	if e.left == 0 {
		p.touch(e)
	}
}

// enqueue appends an alert to its chain.
func (p *partition) enqueue(it *item, now time.Time) {
	key := it.alert.Decision.Signature
	if key == "" {
		key = event.FoldHost(it.alert.Event.Hostname)
	}
	c := p.chains[key]
	if c == nil {
		// The key outlives its alert in the map: a clone does not keep the alert's whole batch alive.
		c = &chain{key: strings.Clone(key), items: []*item{it}}
		p.chains[c.key] = c
		p.activate(c, now)
		return
	}
	c.items = append(c.items, it)
}

// touch notes that an entry has results to write.
func (p *partition) touch(e *entry) {
	p.unwritten++
	if !e.touched {
		e.touched = true
		p.touched = append(p.touched, e)
	}
	notify(p.dirty)
	if p.unwritten >= p.engine.cfg.MaxAlerts/4 {
		notify(p.urgent)
	}
}
