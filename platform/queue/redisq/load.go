package redisq

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// loadAge is how old the knowledge of other partitions may be when the cap is applied.
const loadAge = 200 * time.Millisecond

// held is what a partition holds.
type held struct{ events, bytes int64 }

// load is what the partitions of a queue held at some time. Partitions may lie on different nodes, so no script
// can see all of them.
type load struct {
	mu      sync.Mutex
	live    []held
	asked   time.Time
	pending chan struct{} // closed when the question on its way is answered
}

// elsewhere gives what the partitions of a queue but one hold. Of the appends that find it too old one asks, and the others
// wait for the answer; when there is none, what was known before is used.
func (d *Driver) elsewhere(ctx context.Context, q queue.Name, but int) (sum held) {
	if len(d.keys) == 1 {
		return held{}
	}
	l := d.loads[q]
	l.mu.Lock()
	pending := l.pending
	mine := pending == nil && time.Since(l.asked) > loadAge
	if mine {
		pending = make(chan struct{})
		l.pending, l.asked = pending, time.Now()
	}
	l.mu.Unlock()
	if mine {
		d.askLoad(context.WithoutCancel(ctx), q, l)
	} else if pending != nil {
		<-pending
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, live := range l.live {
		if p != but {
			sum.events += live.events
			sum.bytes += live.bytes
		}
	}
	return sum
}

func (d *Driver) askLoad(ctx context.Context, q queue.Name, l *load) {
	live := make([]held, len(d.keys))
	err := d.each(func(p int) error {
		cmd := d.client.B().Hmget().Key(d.keys[p].lane(q).state()).Field("bytes", "ready_events", "claimed_events", "delayed_events").Build()
		r, err := d.command(ctx, "ask for the depth", cmd)
		if err != nil {
			return err
		}
		fields, err := r.AsStrSlice()
		if err != nil {
			return unavailable(err, "ask for the depth")
		}
		for i, f := range fields {
			n, _ := strconv.ParseInt(f, 10, 64) // a field that is not there counts for 0
			if i == 0 {
				live[p].bytes = n
			} else {
				live[p].events += n
			}
		}
		return nil
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.live = live
	}
	close(l.pending)
	l.pending = nil
}
