package pipeline

import (
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// item is one alert on its way.
type item struct {
	mark
	alert    *event.Alert
	entry    *entry
	failures int       // tries that failed, whether they count or not: what the backoff grows with
	solo     bool      // was in a list that was refused: it goes alone, so that it dooms no neighbour
	tried    time.Time // the last try by this process
	seen     sight     // what was known of deliveries then
	blamed   bool      // and whether its failure was the alert's doing
}

// chain holds the unsettled alerts of one signature of a partition in their order. Its first ones go; the others wait.
type chain struct {
	key   string
	items []*item
	sent  int // how many of the first items are in a request
}

// due returns when the chain's first alert may go; the zero time for at once.
func (c *chain) due() time.Time { return c.items[0].due }

// take returns the first alerts that may go now, at most n.
func (c *chain) take(n int, now time.Time) []*item {
	taken := 0
	for taken < n && taken < len(c.items) {
		it := c.items[taken]
		if it.due.After(now) || it.solo && taken > 0 {
			break
		}
		taken++
		if it.solo {
			break
		}
	}
	c.sent = taken
	return c.items[:taken]
}

// compact drops the settled alerts among those that were sent.
func (c *chain) compact() {
	kept := 0
	for _, it := range c.items[:c.sent] {
		if !it.settled() {
			c.items[kept] = it
			kept++
		}
	}
	if kept == 0 {
		clear(c.items[:c.sent]) // the slice lives on: let the alerts go
		c.items = c.items[c.sent:]
	} else if kept < c.sent {
		n := copy(c.items[kept:], c.items[c.sent:])
		clear(c.items[kept+n:])
		c.items = c.items[:kept+n]
	}
	c.sent = 0
}

// waiting is a heap of chains by due time (container/heap).
type waiting []*chain

func (w waiting) Len() int           { return len(w) }
func (w waiting) Less(i, j int) bool { return w[i].due().Before(w[j].due()) }
func (w waiting) Swap(i, j int)      { w[i], w[j] = w[j], w[i] }

// Push implements heap.Interface.
func (w *waiting) Push(x any) { *w = append(*w, x.(*chain)) }

// Pop implements heap.Interface.
func (w *waiting) Pop() any {
	old := *w
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	return c
}

// fifo is a queue of chains: in is in the order of pushing, out in the reverse.
type fifo struct {
	in, out []*chain
}

func (q *fifo) len() int { return len(q.in) + len(q.out) }

func (q *fifo) push(c *chain) { q.in = append(q.in, c) }

func (q *fifo) pushFront(c *chain) { q.out = append(q.out, c) }

func (q *fifo) pop() *chain {
	if len(q.out) == 0 {
		for i := len(q.in) - 1; i >= 0; i-- {
			q.out = append(q.out, q.in[i])
		}
		clear(q.in)
		q.in = q.in[:0]
	}
	if len(q.out) == 0 {
		return nil
	}
	c := q.out[len(q.out)-1]
	q.out[len(q.out)-1] = nil
	q.out = q.out[:len(q.out)-1]
	return c
}

// remove takes a chain out, wherever it stands.
func (q *fifo) remove(c *chain) bool {
	for _, half := range []*[]*chain{&q.in, &q.out} {
		if i := slices.Index(*half, c); i >= 0 {
			*half = slices.Delete(*half, i, i+1)
			return true
		}
	}
	return false
}
