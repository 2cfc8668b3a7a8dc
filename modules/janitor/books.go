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

	mu     sync.Mutex // one Fold at a time
	folded int64      // the minute up to which everything is folded
}

// NewBooks returns Books that have folded nothing yet.
func NewBooks(d BooksDeps) *Books {
	deps.Must(d)
	return &Books{deps: d}
}

// Fold copies the queue's running totals into the store, and adds up the hits of the rules. The last two minutes are read again each time, because other processes
// may still be counting in them.
func (b *Books) Fold(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fold(ctx)
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
	b.mu.Lock()
	defer b.mu.Unlock()
	b.folded = 0
	if err := b.fold(ctx); err != nil {
		return err
	}
	return b.deps.Queue.Purge(ctx, before.Unix()/60)
}
