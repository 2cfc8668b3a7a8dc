package app

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

const (
	// republish is how often a process with the store looks whether the snapshot is still there: Redis may have lost it.
	republish = 5 * time.Second
	// publishWait is how long a change waits for its publication. Where Redis hangs, what is committed is in force in the
	// processes with the store all the same, and nobody waits for the others.
	publishWait = 100 * time.Millisecond
)

// publisher puts what is in force where the processes without the store find it. A nil one does nothing.
type publisher struct {
	put  func(context.Context, *settled) error
	log  *zap.Logger
	life context.Context // ends with stop: a publication belongs to no caller
	end  context.CancelFunc

	running sync.WaitGroup
	busy    sync.Mutex     // held by the one publication that is under way; guards what follows
	done    store.Position // what was published last
	at      time.Time      // when that was seen to be there
	failing bool           // which is told once
}

func newPublisher(put func(context.Context, *settled) error, log *zap.Logger) *publisher {
	p := &publisher{put: put, log: log}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// offer publishes what is in force, unless that was done lately or is being done: then a later call, of the revision
// poll, does it.
func (p *publisher) offer(now *settled) {
	if p == nil || now == nil || !p.busy.TryLock() {
		return
	}
	if p.life.Err() != nil || p.done == now.position() && time.Since(p.at) < republish {
		p.busy.Unlock()
		return
	}
	finished := make(chan struct{})
	p.running.Go(func() {
		defer close(finished)
		defer p.busy.Unlock()
		p.publish(now)
	})
	wait := time.NewTimer(publishWait)
	defer wait.Stop()
	select {
	case <-finished:
	case <-wait.C:
	}
}

// publish does it. Where it fails, the others get it with a later poll.
func (p *publisher) publish(now *settled) {
	switch err := p.put(p.life, now); {
	case err == nil:
		p.done, p.at, p.failing = now.position(), time.Now(), false
	case !fault.Is(err, fault.Conflict) && p.life.Err() == nil && !p.failing:
		p.failing = true
		p.log.Warn("the configuration snapshot was not published, trying again", zap.Error(err))
	}
}

// stop ends the publication that is under way, and waits for that.
func (p *publisher) stop() {
	if p == nil {
		return
	}
	p.end()
	p.running.Wait()
}
