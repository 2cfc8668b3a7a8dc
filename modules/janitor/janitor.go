// Package janitor keeps a running MUTT tidy: it folds the queue's counters into the books, merges old rows of the books, prunes what nobody
// needs any more, removes what is past its retention, replays dead letters, and creates the partitions of the event audit ahead of time.
//
// Principles:
//  1. Every task is idempotent: it may be repeated, run late, be cut off anywhere, or run in two processes at once.
//  2. Nothing that a queue still holds is forgotten: the oldest waiting entry bounds every pruning.
//  3. Leadership only saves work: nothing goes wrong when nobody leads for a while, or two believe that they do.
package janitor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/janitor/internal/remedy"
	"github.com/muttproject/mutt/modules/janitor/internal/retain"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// Queue is what the janitor needs of the queue.
type Queue interface {
	retain.Queue
	remedy.Queue
}

// Store is what the janitor needs of the store.
type Store interface {
	PruneBatches(ctx context.Context, olderThan time.Time) (int64, error)
	PruneHits(ctx context.Context, before time.Time) error
	PruneUnhandled(ctx context.Context, now time.Time) (int64, error)
	PruneSessions(ctx context.Context, now time.Time) error
	EnsurePartitions(ctx context.Context, now time.Time, ahead int) (made int, err error)
	MergeBooks(ctx context.Context, now time.Time, steps int) (taken int, err error)
	ChainHead(ctx context.Context) (store.ChainHead, error)
	retain.Store
}

// Leader reports whether this process is the one of several janitors that folds and prunes.
type Leader interface {
	Leading() bool
}

// Intervals and ages.
const (
	foldEvery    = time.Second // how late the JSON metrics are
	pruneEvery   = 10 * time.Minute
	keepEntries  = 7 * 24 * time.Hour // how long the id of a judged entry is remembered
	keepCounters = 48 * time.Hour     // how long folded counters stay in the queue
	hitsFor      = 48 * time.Hour     // how long the hits of rules are kept by the hour
	retainEvery  = time.Hour          // how often data past its retention is removed
	// partitionsEvery is how often every janitor, leading or not, looks whether partitions are missing. After a failure it looks
	// again after partitionsAgain.
	partitionsEvery = time.Hour
	partitionsAgain = time.Minute
)

// Deps are the janitor's needs. All are required.
type Deps struct {
	Queue   Queue
	Store   Store
	Books   *Books
	Leader  Leader
	Coord   coord.Coord
	Dynamic Dynamic
	// Keys of other modules, which remediation goes by: alerter_queue_warn_threshold and circuit_breaker_enabled.
	QueueWarn      config.Value[int64]
	BreakerEnabled config.Value[bool]

	Registerer prometheus.Registerer
	Logger     *zap.Logger
	Now        func() time.Time
}

// Module is the janitor.
type Module struct {
	*lifecycle.Runner
	deps   Deps
	hourly *hourly
	remedy *remedy.Remediation

	failing map[string]bool // by message; owned by run
}

// New returns the janitor. It does no I/O.
func New(d Deps) (*Module, error) {
	if err := deps.Check(d); err != nil {
		return nil, fmt.Errorf("janitor module: %w", err)
	}
	m := &Module{deps: d, hourly: newHourly(d), failing: map[string]bool{}}
	m.remedy = remedy.New(remedy.Deps{Store: d.Store, Queue: d.Queue, Coord: d.Coord, Dynamic: d.Dynamic.Remediation,
		QueueWarn: d.QueueWarn, BreakerEnabled: d.BreakerEnabled, Leading: d.Leader.Leading,
		Log: d.Logger.Named("remediation"), Registerer: d.Registerer, Now: d.Now})
	m.Runner = lifecycle.NewRunner("janitor", m.run)
	return m, nil
}

// run does the tasks until ctx ends. One that fails is logged and tried again at its next turn.
func (m *Module) run(ctx context.Context) error {
	var apart sync.WaitGroup // what may take long keeps nothing else waiting
	defer apart.Wait()
	apart.Go(func() { m.loop(ctx) })
	apart.Go(func() { m.remedy.Run(ctx) })
	fold, prune := time.NewTicker(foldEvery), time.NewTicker(pruneEvery)
	defer fold.Stop()
	defer prune.Stop()
	partitions := time.NewTimer(0) // also at the start
	defer partitions.Stop()
	for {
		select {
		case <-fold.C:
			if m.deps.Leader.Leading() {
				m.report(ctx, "cannot fold the counters into the books", m.deps.Books.Fold(ctx))
			}
		case <-prune.C:
			if m.deps.Leader.Leading() {
				m.report(ctx, "cannot prune", m.Prune(ctx))
			}
		case <-partitions.C:
			partitions.Reset(m.partitions(ctx))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop folds once more, so that the books are whole after an orderly end.
func (m *Module) Stop(ctx context.Context) error {
	if err := m.Runner.Stop(ctx); err != nil {
		return err
	}
	if err := m.deps.Books.Fold(ctx); err != nil {
		return fmt.Errorf("fold the last counters: %w", err)
	}
	return nil
}

// partitions makes the partitions that are missing and says when to look again.
func (m *Module) partitions(ctx context.Context) time.Duration {
	made, err := m.deps.Store.EnsurePartitions(ctx, m.deps.Now(), store.PartitionsAhead)
	m.report(ctx, "cannot make the partitions of the event audit", err)
	if err != nil {
		return partitionsAgain
	}
	if made > 0 {
		m.deps.Logger.Info("made partitions of the event audit", zap.Int("partitions", made))
	}
	return partitionsEvery
}

// report logs a task that begins to fail, and one that works again: what is tried each second would fill the log.
func (m *Module) report(ctx context.Context, message string, err error) {
	switch failing := m.failing[message]; {
	case ctx.Err() != nil:
	case err != nil && !failing:
		m.failing[message] = true
		m.deps.Logger.Warn(message, zap.Error(err))
	case err == nil && failing:
		m.failing[message] = false
		m.deps.Logger.Info("works again: " + strings.TrimPrefix(message, "cannot "))
	}
}

// Prune forgets old entry ids, expired unhandled windows and sessions, and folded counters.
func (m *Module) Prune(ctx context.Context) error {
	now := m.deps.Now()
	keep := now.Add(-keepEntries)
	for _, q := range queue.Names() {
		d, err := m.deps.Queue.Depth(ctx, q)
		if err != nil {
			return fmt.Errorf("look at queue %s: %w", q, err)
		}
		// An hour of slack: the queue's clock is the appending process's.
		if oldest := d.Oldest.Add(-time.Hour); !d.Oldest.IsZero() && oldest.Before(keep) {
			keep = oldest
		}
	}
	_, batches := m.deps.Store.PruneBatches(ctx, keep)
	_, windows := m.deps.Store.PruneUnhandled(ctx, now)
	sessions := m.deps.Store.PruneSessions(ctx, now)
	hits := m.deps.Store.PruneHits(ctx, now.Add(-hitsFor))
	counters := m.deps.Books.purge(ctx, now.Add(-keepCounters))
	return errors.Join(batches, windows, sessions, hits, counters)
}
