package pipeline

import (
	"container/heap"
	"time"
)

// tryEvery is the longest time between two tries of alerts that wait because of an outage: however far their backoff has grown, its
// end is noticed within this. It is also the longest pause of a breaker that has just opened.
const tryEvery = 5 * time.Second

// recallEvery bounds how often the chains that wait are looked through because the destination is back.
const recallEvery = time.Second

// early puts one alert that waits because of an outage before all others, when none was tried for a while.
func (e *Engine) early(now time.Time) {
	if now.Before(e.nextTry) {
		return
	}
	e.nextTry = now.Add(tryEvery)
	p, c := e.longestUntried(now, func(it *item) bool { return it.state == scheduled && !it.blamed })
	if c == nil {
		return
	}
	p.detach(c)
	c.items[0].due = time.Time{}
	p.ready.pushFront(c)
}

// longestUntried returns the chain whose first alert was tried the longest time ago, or never; of several the one received first.
// So requests that are few go round the signatures. One that the destination asked to leave alone is left alone.
func (e *Engine) longestUntried(now time.Time, fits func(*item) bool) (of *partition, longest *chain) {
	for _, p := range e.parts {
		if p.closing {
			continue
		}
		for _, c := range p.chains {
			if it := c.items[0]; c.sent > 0 || it.asked && it.due.After(now) || !fits(it) {
				continue
			}
			if longest == nil || c.before(longest) {
				of, longest = p, c
			}
		}
	}
	return of, longest
}

// before orders chains by when their first alerts were tried, then by when these were received.
func (c *chain) before(other *chain) bool {
	a, b := c.items[0], other.items[0]
	if !a.tried.Equal(b.tried) {
		return a.tried.Before(b.tried)
	}
	return a.alert.Event.ReceivedAt < b.alert.Event.ReceivedAt
}

// probe takes the one alert that a probe sends.
func (e *Engine) probe(now time.Time) (job, bool) {
	p, c := e.longestUntried(now, func(*item) bool { return true })
	if c == nil {
		return job{}, false
	}
	p.detach(c)
	c.items[0].due = time.Time{}
	p.inflight++
	return job{part: p, items: c.take(1, now), chains: []*chain{c}}, true
}

// detach takes a chain out of those that are ready or waiting.
func (p *partition) detach(c *chain) {
	if p.ready.remove(c) {
		return
	}
	for i, w := range p.waiting {
		if w == c {
			heap.Remove(&p.waiting, i)
			return
		}
	}
}

// recall puts forward what waits because of an outage that is over. What failed while others were delivered, and what the destination
// asked to be left alone, waits on.
func (e *Engine) recall(now time.Time) {
	if now.Sub(e.recalled) < recallEvery {
		return
	}
	e.recalled = now
	for _, p := range e.parts {
		for _, c := range p.waiting {
			if it := c.items[0]; !it.asked && !it.blamed {
				it.due = now
			}
		}
		heap.Init(&p.waiting)
	}
}

// rearrange puts all chains but those in requests where they belong, after some lost alerts.
func (p *partition) rearrange(now time.Time) {
	p.ready, p.waiting = fifo{}, nil
	for _, c := range p.chains {
		if c.sent == 0 {
			p.activate(c, now)
		}
	}
}
