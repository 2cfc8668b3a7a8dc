package worker

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// kind says how an item is committed.
type kind uint8

const (
	ordinary kind = iota
	newer         // written by a newer version: given back
	corrupt       // no batch: dead-lettered whole
	suspect       // failed before, or its judging panicked: judged in parts
)

// expiries is how many deliveries an entry may have before it is a suspect: its lease ended twice.
const expiries = 2

// item is one claimed entry on its way through the stages.
type item struct {
	claimed queue.Claimed
	kind    kind
	err     error // why it is not ordinary
	unit    unit
}

// chunk is what one transaction takes: items in the order of the queue, and the terms that they were judged on.
type chunk struct {
	items []*item
	used  int
	terms terms
	began time.Time
}

// add takes an item out of the chunk's own, for reuse of its memory.
func (c *chunk) add(claimed queue.Claimed) {
	if c.used == len(c.items) {
		c.items = append(c.items, new(item))
	}
	it := c.items[c.used]
	c.used++
	it.claimed, it.kind, it.err = claimed, ordinary, nil
	it.unit.id = claimed.Entry
}

// run connects the stages. Two chunks go round: one is judged while the other is committed.
func (l *lane) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range runtime.GOMAXPROCS(0) {
		l.judges = append(l.judges, new(judge))
	}
	free, judged := make(chan *chunk, 2), make(chan *chunk)
	free <- new(chunk)
	free <- new(chunk)
	var first error
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(judged)
		first = l.feed(ctx, free, judged)
	})
	work, end := graced(ctx)
	defer end()
	var second error
	for c := range judged {
		if second = l.commitChunk(work, c); second != nil {
			break
		}
		free <- c
	}
	cancel()
	wg.Wait()
	for _, err := range []error{second, first} {
		if err != nil && !errors.Is(err, errLost) {
			return err
		}
	}
	return nil
}

// stopGrace is how long a commit may go on when the worker is stopped: well within what is left of the lease.
const stopGrace = 2 * time.Second

// graced gives a context that outlives ctx by stopGrace, unless ctx ended for a reason like a lost lease.
func graced(ctx context.Context) (work context.Context, end context.CancelFunc) {
	// Detached on purpose: what was committed is better acknowledged than judged again after the restart.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), context.Canceled) {
			cancel()
			return
		}
		if sleep(work, stopGrace) == nil {
			cancel()
		}
	})
	return work, func() { stop(); cancel() }
}

// feed is stage 1: claim, decode, judge. Only it claims; entries leave it in the order of the queue.
func (l *lane) feed(ctx context.Context, free <-chan *chunk, judged chan<- *chunk) error {
	want := 4
	for {
		shed, err := l.admit(ctx)
		if err != nil {
			return err
		}
		claimed, err := l.holder.Claim(ctx, want, l.p.Config.ClaimWait)
		if err != nil {
			// What the call claimed all the same is in nobody's hands. Ending the lease gives it to the next one, in order.
			if classify(ctx, err) != classLost {
				l.p.Metrics.waits.Inc()
				l.troubles.unclaimed.Add(1, zap.Error(err))
			}
			return errLost
		}
		for len(claimed) > 0 {
			n, events := l.portion(claimed)
			want = min(max(n*l.p.Config.BatchEvents/max(events, 1), 4), l.p.Config.ClaimEntries)
			var c *chunk
			select {
			case c = <-free:
			case <-ctx.Done():
				return errLost
			}
			l.fill(c, claimed[:n], shed)
			select {
			case judged <- c:
			case <-ctx.Done():
				return errLost
			}
			claimed = claimed[n:]
		}
	}
}

// portion gives how many entries make about one transaction, at least one, and how many events they hold.
func (l *lane) portion(claimed []queue.Claimed) (n, events int) {
	for n < len(claimed) && (n == 0 || events+claimed[n].Events <= l.p.Config.BatchEvents) {
		events += claimed[n].Events
		n++
	}
	return n, events
}

// fill decodes and judges entries, on as many goroutines as there are processors.
func (l *lane) fill(c *chunk, claimed []queue.Claimed, shed bool) {
	c.used, c.began, c.terms = 0, l.p.Now(), l.terms(shed)
	for i := range claimed {
		c.add(claimed[i])
	}
	workers := min(len(l.judges), c.used)
	if workers <= 1 {
		for _, it := range c.items[:c.used] {
			it.prepare(l.judges[0], &c.terms)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, j := range l.judges[:workers] {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(c.used); i = next.Add(1) - 1 {
				c.items[i].prepare(j, &c.terms)
			}
		})
	}
	wg.Wait()
}

// prepare decodes and judges one entry. It never fails: what is odd about the entry is kept for stage 2.
func (it *item) prepare(j *judge, t *terms) {
	var err error
	clear(it.unit.events) // the texts of the last entry must not outlive it
	it.unit.events, err = event.DecodeEvents(it.unit.events[:0], it.claimed.Body)
	switch {
	case errors.Is(err, event.ErrNewerVersion):
		it.kind, it.err = newer, err
		return
	case err != nil:
		it.kind, it.err = corrupt, err
		return
	case it.claimed.Deliveries > expiries || it.claimed.Progress != nil:
		it.kind = suspect
		return
	}
	if err := guard(func() { j.decide(&it.unit, t) }); err != nil {
		*j = judge{} // whatever state the panic left is dropped
		it.kind, it.err = suspect, err
		return
	}
	it.unit.book(t)
}
