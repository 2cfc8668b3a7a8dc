package app

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
)

// depths tells what the queues hold without waiting: answers to senders and metrics show it.
type depths interface {
	depth(q queue.Name) queue.Depth
}

// directDepths asks an embedded queue, which counts in memory.
type directDepths struct{ queue *queue.Queue }

func (d directDepths) depth(q queue.Name) queue.Depth {
	now, err := d.queue.Depth(context.Background(), q)
	if err != nil {
		return queue.Depth{} // it is being closed
	}
	return now
}

// How often polled depths are read, and how long one reading may take.
const (
	depthPoll  = 500 * time.Millisecond
	depthBound = 2 * time.Second
)

// polledDepths keeps the last reading of queues in another process.
type polledDepths struct {
	*lifecycle.Runner
	queue *queue.Queue
	last  map[queue.Name]*atomic.Pointer[queue.Depth] // not changed after its making
}

func newPolledDepths(q *queue.Queue) *polledDepths {
	d := &polledDepths{queue: q, last: map[queue.Name]*atomic.Pointer[queue.Depth]{}}
	for _, name := range queue.Names() {
		d.last[name] = new(atomic.Pointer[queue.Depth])
	}
	d.Runner = lifecycle.NewRunner("depths", d.run)
	return d
}

func (d *polledDepths) run(ctx context.Context) error {
	tick := time.NewTicker(depthPoll)
	defer tick.Stop()
	for {
		for name, last := range d.last {
			read, cancel := context.WithTimeout(ctx, depthBound)
			if now, err := d.queue.Depth(read, name); err == nil {
				last.Store(&now)
			}
			cancel()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *polledDepths) depth(q queue.Name) queue.Depth {
	if now := d.last[q].Load(); now != nil {
		return *now
	}
	return queue.Depth{}
}
