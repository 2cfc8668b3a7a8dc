package janitor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// BooksDeps are what Books need. All are required.
type BooksDeps struct {
	Queue interface {
		Counters(ctx context.Context, since int64) ([]queue.Counter, error)
		Purge(ctx context.Context, before int64) error
	}
	Store interface {
		FoldCounts(ctx context.Context, counts []store.MinuteCount) error
		FoldHits(ctx context.Context) error
	}
	Now func() time.Time
}

// Books keep the two books of the store up with the queue's running totals. The janitor folds each second; the ui has Books of its
// own and folds before it shows them.
type Books struct {
	deps BooksDeps

	turn   chan struct{} // held while folding; guards folded
	folded int64         // the minute up to which everything is folded

	mu   sync.Mutex
	next *round // what calls wait for that came since the last Fold began; nil when there are none
}

// round is one Fold for all callers that waited for it.
type round struct {
	done      chan struct{}
	err       error
	abandoned bool // the caller that worked for all has gone
}

// NewBooks returns Books that have folded nothing yet.
func NewBooks(d BooksDeps) *Books {
	deps.Must(d)
	return &Books{deps: d, turn: make(chan struct{}, 1)}
}

// Fold copies the queue's running totals into the store, and adds up the hits of the rules. The last two minutes are read again each time,
// because other processes may still be counting in them. Calls at the same time share one copying, which begins after the last of them: many
// readers cost no more than one.
func (b *Books) Fold(ctx context.Context) error {
	for {
		b.mu.Lock()
		r := b.next
		if r == nil {
			r = &round{done: make(chan struct{})}
			b.next = r
			b.mu.Unlock()
			return b.work(ctx, r)
		}
		b.mu.Unlock()
		select {
		case <-r.done:
			if !r.abandoned {
				return r.err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// work folds for all callers of a round.
func (b *Books) work(ctx context.Context, r *round) error {
	r.abandoned = true
	defer close(r.done)
	leave, err := b.enter(ctx)
	b.mu.Lock()
	b.next = nil // a caller that comes from now on needs a Fold that begins later
	b.mu.Unlock()
	if err != nil {
		return err
	}
	defer leave()
	r.err = b.fold(ctx)
	r.abandoned = ctx.Err() != nil
	return r.err
}

// enter waits for the turn to fold.
func (b *Books) enter(ctx context.Context) (leave func(), err error) {
	select {
	case b.turn <- struct{}{}:
		return func() { <-b.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (b *Books) fold(ctx context.Context) error {
	now := b.deps.Now().Unix() / 60
	counters, err := b.deps.Queue.Counters(ctx, b.folded)
	if err != nil {
		return fmt.Errorf("read the queue's counters: %w", err)
	}
	counts := make([]store.MinuteCount, len(counters))
	for i, c := range counters {
		counts[i] = store.MinuteCount{Minute: c.Minute, Process: c.Process, Kind: c.Kind, Label: c.Label, N: c.N}
	}
	if err := b.deps.Store.FoldCounts(ctx, counts); err != nil {
		return fmt.Errorf("write the books: %w", err)
	}
	if err := b.deps.Store.FoldHits(ctx); err != nil {
		return fmt.Errorf("fold the hits of rules: %w", err)
	}
	b.folded = now - 2
	return nil
}

// purge deletes the queue's counters before a time, after everything was folded.
func (b *Books) purge(ctx context.Context, before time.Time) error {
	leave, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b.folded = 0
	if err := b.fold(ctx); err != nil {
		return err
	}
	return b.deps.Queue.Purge(ctx, before.Unix()/60)
}
