package redisq

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/queue"
)

const (
	// watchBlock is how long a blocking read lasts; it is begun anew when somebody still waits.
	watchBlock = 5 * time.Second
	// watchGrace is how much later its answer may come before Redis counts as gone.
	watchGrace = 2 * time.Second
)

type laneName struct {
	queue     queue.Name
	partition int
}

// watches tell waiting claims that there is something. New entries come from any process: a blocking read, one per lane,
// tells of them. What comes back or is yielded comes from this process, since only a holder claims.
type watches struct {
	d  *Driver
	wg sync.WaitGroup

	mu    sync.Mutex
	reads map[laneName]chan struct{} // closed when the blocking read ends
	wakes map[laneName]chan struct{}
}

func newWatches(d *Driver) *watches {
	return &watches{d: d, reads: map[laneName]chan struct{}{}, wakes: map[laneName]chan struct{}{}}
}

// woken gives a channel that closes with the next wake of a lane.
func (w *watches) woken(lane laneName) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.wakes[lane]
	if !ok {
		c = make(chan struct{})
		w.wakes[lane] = c
	}
	return c
}

// wake wakes the claims that wait in this process.
func (w *watches) wake(lane laneName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.wakes[lane]; ok {
		close(c)
		delete(w.wakes, lane)
	}
}

// news gives a channel that closes when a lane has an entry after the cursor, or might have: also when the blocking read
// ended for another reason. One that runs already began with this cursor or an older one, and misses nothing.
func (w *watches) news(lane laneName, cursor string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok := w.reads[lane]
	if !ok && w.d.ctx.Err() == nil {
		c = make(chan struct{})
		w.reads[lane] = c
		w.wg.Go(func() { w.read(lane, cursor, c) })
	}
	return c
}

// read is the blocking read. It takes nothing: the claim that it wakes does, as one step with the check of the lease.
func (w *watches) read(lane laneName, cursor string, done chan struct{}) {
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.reads, lane)
		close(done)
	}()
	d := w.d
	// A deadline on the context would be taken for one of the connection and spoil it.
	ctx, cancel := context.WithCancel(d.ctx)
	defer cancel()
	late := time.AfterFunc(watchBlock+watchGrace, cancel)
	defer late.Stop()
	stream := d.keys[lane.partition].lane(lane.queue).stream()
	cmd := d.client.B().Xread().Count(1).Block(watchBlock.Milliseconds()).Streams().Key(stream).Id(cursor).Build()
	if err := d.client.Do(ctx, cmd).Error(); err != nil && !nothing(err) && d.ctx.Err() == nil {
		d.opts.Logger.Debug("blocking read of the queue ended", zap.String("stream", stream), zap.Error(err))
		w.pause()
	}
}

// pause keeps claims that wait from asking all the time while Redis is away.
func (w *watches) pause() {
	t := time.NewTimer(watchGrace / 10)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.d.ctx.Done():
	}
}

// stop waits for the blocking reads, which end with the driver's context.
func (w *watches) stop() { w.wg.Wait() }
