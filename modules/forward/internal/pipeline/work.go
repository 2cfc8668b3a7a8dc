package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Holder is the right to work on a partition; *queue.Holder is one. It may be used by several goroutines.
type Holder interface {
	Claim(ctx context.Context, max int, wait time.Duration) ([]queue.Claimed, error)
	Settle(ctx context.Context, s queue.Settlement) error
	Release(ctx context.Context, g queue.Giveback) error
}

const (
	claimEntries = 8
	claimWait    = 5 * time.Second
	// finalWrite bounds the last write of progress when work stops.
	finalWrite = 1500 * time.Millisecond
	// newerDelay is how long an entry of a newer version is left for a newer process.
	newerDelay = 30 * time.Second
)

// Work delivers a partition's alerts until ctx ends. Ended with cause LeaseLost, it drops everything at once and
// writes nothing; otherwise requests under way may end, and their results are written.
func (e *Engine) Work(ctx context.Context, h Holder) error {
	send, abortSend := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx by the drain, see close
	defer abortSend()
	store, abortStore := context.WithCancel(context.WithoutCancel(ctx))
	defer abortStore()
	p := &partition{engine: e, holder: h, send: send, store: store, chains: map[string]*chain{},
		quiet: make(chan struct{}, 1), dirty: make(chan struct{}, 1), urgent: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	stop := context.AfterFunc(ctx, func() {
		if lost(ctx) {
			abortSend()
			abortStore()
		}
	})
	defer stop()
	e.mu.Lock()
	e.parts = append(e.parts, p)
	e.mu.Unlock()

	reading, stopReading := context.WithCancel(ctx)
	read := make(chan error, 1)
	go func() { read <- p.read(reading) }()
	err := p.write(ctx, read)
	stopReading()
	if err == nil {
		err = <-read
	} else {
		<-read
	}
	if err != nil || lost(ctx) {
		abortSend()
	} else {
		defer time.AfterFunc(drain, abortSend).Stop()
		defer time.AfterFunc(drain+finalWrite, abortStore).Stop()
	}
	p.settleDown()
	if err == nil && !lost(ctx) {
		err = p.flush()
	}
	return err
}

func lost(ctx context.Context) bool { return fault.Is(context.Cause(ctx), fault.LeaseLost) }

// settleDown takes the partition out of the engine and waits for its requests.
func (p *partition) settleDown() {
	e := p.engine
	e.mu.Lock()
	p.closing = true
	for i := range e.parts {
		if e.parts[i] == p {
			e.parts = append(e.parts[:i:i], e.parts[i+1:]...)
			break
		}
	}
	e.turn = 0
	busy := p.inflight > 0
	e.mu.Unlock()
	for busy {
		<-p.quiet
		e.mu.Lock()
		busy = p.inflight > 0
		e.mu.Unlock()
	}
}

// read claims entries while there is room for them.
func (p *partition) read(ctx context.Context) error {
	for {
		if !p.awaitRoom(ctx) {
			return nil
		}
		claimed, err := p.holder.Claim(ctx, claimEntries, claimWait)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read alerts: %w", err)
		}
		for i := range claimed {
			if err := p.take(ctx, &claimed[i]); err != nil {
				return err
			}
		}
	}
}

func (p *partition) awaitRoom(ctx context.Context) bool {
	for {
		p.engine.mu.Lock()
		room := p.alerts < p.engine.cfg.MaxAlerts && p.bytes < maxBytes
		p.engine.mu.Unlock()
		if room {
			return ctx.Err() == nil
		}
		select {
		case <-p.room:
		case <-ctx.Done():
			return false
		}
	}
}

// take decodes an entry and takes its alerts in. What a newer version wrote goes back; what nobody can read is
// dead-lettered whole.
func (p *partition) take(ctx context.Context, c *queue.Claimed) error {
	e := &entry{id: c.Entry, bytes: len(c.Body), appended: c.AppendedAt, attempts: c.Attempts, replays: c.Replays}
	alerts, err := event.DecodeAlerts(make([]event.Alert, 0, min(max(c.Events, 0), queue.TargetEvents)), c.Body)
	var marks []mark
	counted := true
	if err == nil {
		e.alerts = alerts
		marks, counted, err = decodeProgress(c.Progress, len(alerts))
	}
	switch {
	case errors.Is(err, event.ErrNewerVersion) || errors.Is(err, errNewerProgress):
		p.engine.troubles.newer.Add(1, zap.Stringer("entry_id", c.Entry))
		if err := p.holder.Release(ctx, queue.Giveback{Entries: []event.ID{c.Entry}, Delay: newerDelay, Reason: err.Error()}); err != nil {
			return fmt.Errorf("give back an entry of a newer version: %w", err)
		}
		return nil
	case errors.Is(err, errCorruptProgress):
		// Only which alerts were delivered is lost: sent again they carry the same ids.
		p.engine.troubles.progress.Add(1, zap.Stringer("entry_id", c.Entry))
	case err != nil:
		p.poison(e, c, err)
		return nil
	}
	now := p.engine.deps.Now()
	p.engine.mu.Lock()
	defer p.engine.mu.Unlock()
	p.add(e, marks, counted, now)
	p.engine.signal()
	return nil
}

// poison dead-letters an entry that cannot be read, as one letter with the bytes as they are.
func (p *partition) poison(e *entry, c *queue.Claimed, err error) {
	p.engine.troubles.parked.Add(int64(max(c.Events, 1)), zap.Stringer("entry_id", c.Entry), zap.Error(err))
	p.engine.deps.Metrics.alert(queue.DeadPoison, max(c.Events, 1))
	p.engine.mu.Lock()
	defer p.engine.mu.Unlock()
	p.parked += int64(max(c.Events, 1))
	p.bytes += e.bytes
	p.dead = append(p.dead, queue.DeadLetter{ID: c.Entry, Queue: queue.Alert, Body: c.Body, Code: queue.DeadPoison,
		Reason: err.Error(), Attempts: c.Attempts + 1, First: p.engine.deps.Now()})
	p.touch(e)
}

// longestDelay bounds a schedule that is taken over from a note.
func (e *Engine) longestDelay() time.Duration {
	return max(e.deps.Settings().MaxDelay, dest.MaxRetryAfter)
}
