package redisq

import (
	"sync"

	"github.com/muttproject/mutt/platform/queue"
)

// fence remembers how far each lease of this process came, so that a Redis that came back older is recognised by its holders
// too: by fewer steps than were acknowledged, or by a lease that was given back and is there again. Both end the lease,
// which gives what it had claimed to the next one.
type fence struct {
	mu   sync.Mutex
	seen map[laneName]course
}

// course is what became of the last lease of a lane.
type course struct {
	token, step int64
	ended       bool
}

func newFence() *fence { return &fence{seen: map[laneName]course{}} }

// step gives the last acknowledged step of a lease.
func (f *fence) step(l queue.Lease) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.seen[laneName{l.Queue, l.Partition}]; c.token == l.Token {
		return c.step
	}
	return 0
}

// saw notes an acknowledged step.
func (f *fence) saw(l queue.Lease, step int64) {
	f.note(l, func(c *course) { c.step = max(c.step, step) })
}

// gaveBack notes that a lease was ended.
func (f *fence) gaveBack(l queue.Lease) { f.note(l, func(c *course) { c.ended = true }) }

// note changes what is known of a lease, unless it is of a newer one.
func (f *fence) note(l queue.Lease, change func(*course)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lane := laneName{l.Queue, l.Partition}
	c := f.seen[lane]
	switch {
	case c.token > l.Token:
		return
	case c.token < l.Token:
		c = course{token: l.Token}
	}
	change(&c)
	f.seen[lane] = c
}

// returned tells whether a lease that was just given is one that was ended before.
func (f *fence) returned(l queue.Lease) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.seen[laneName{l.Queue, l.Partition}]
	return l.Token < c.token || l.Token == c.token && c.ended
}
