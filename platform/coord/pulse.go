package coord

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// Pulse lets every process know that something happened again: a process that does it calls Beat, and a process that asks later
// sees by Count whether there was a beat since it last asked. No clocks are compared.
type Pulse struct {
	coord Coord
	key   string

	mu      sync.Mutex
	beaten  time.Time
	version int64
}

const (
	// pulseEvery bounds the writes: further beats within it are not written, and other processes see them as one.
	pulseEvery = time.Second
	// pulseLife is longer than anybody waits to see whether there was a beat.
	pulseLife = 48 * time.Hour
)

// NewPulse returns a Pulse. It does no I/O.
func NewPulse(c Coord, key string) *Pulse { return &Pulse{coord: c, key: "pulse/" + key} }

// Beat notes that it happened now. It writes at most once a second.
func (p *Pulse) Beat(ctx context.Context) error {
	p.mu.Lock()
	now, version := time.Now(), p.version
	due := p.beaten.IsZero() || now.Sub(p.beaten) >= pulseEvery
	if due {
		p.beaten = now
	}
	p.mu.Unlock()
	if !due {
		return nil
	}
	next, err := p.put(ctx, version)
	if fault.Is(err, fault.Conflict) { // another process was here since, or this one forgot it
		if version, err = p.Count(ctx); err == nil {
			next, err = p.put(ctx, version)
		}
		if fault.Is(err, fault.Conflict) {
			return nil // beaten in between
		}
	}
	if err != nil {
		return fmt.Errorf("note that %s happened: %w", p.key, err)
	}
	p.mu.Lock()
	p.version = max(p.version, next)
	p.mu.Unlock()
	return nil
}

func (p *Pulse) put(ctx context.Context, version int64) (int64, error) {
	return p.coord.Put(ctx, PutParams{Key: p.key, Data: []byte("1"), Version: version, TTL: pulseLife})
}

// Count returns a number that is another one after each beat, and 0 while there was none.
func (p *Pulse) Count(ctx context.Context) (int64, error) {
	v, err := p.coord.Get(ctx, p.key)
	if err != nil {
		return 0, fmt.Errorf("ask whether %s happened: %w", p.key, err)
	}
	return v.Version, nil
}
