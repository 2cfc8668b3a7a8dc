// Package retain removes what is past its retention: rows of the change audit, judged events, and dead letters.
//
// Principles:
//  1. What is removed is said: in the change audit as system:janitor, in the log, in the metrics.
//  2. Days are whole days of UTC, so that each kind is removed from once a day and notes that once a day.
//  3. A step is bounded: whoever else writes waits for one transaction, never for all that is to go.
//  4. A run may end anywhere and begin again; settings are read when it begins.
package retain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// Store is what retention needs of the store.
type Store interface {
	Change(ctx context.Context, actor store.Actor, reason string, fn func(*store.Tx) error) (int64, error)
	ExpiredChanges(ctx context.Context, before time.Time) (int64, error)
	PruneChanges(ctx context.Context, actor store.Actor, reason string, before time.Time, limit int) (int64, error)
	ExpiredEvents(ctx context.Context, before time.Time) (int64, error)
	DropPartitions(ctx context.Context, actor store.Actor, reason string, before time.Time) ([]store.Partition, error)
	PruneEvents(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Queue is what retention needs of the queue.
type Queue interface {
	Depth(ctx context.Context, q queue.Name) (queue.Depth, error)
	Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error)
	Discard(ctx context.Context, p queue.DiscardParams) (int, error)
}

// Deps are what retention needs. All are required.
type Deps struct {
	Store      Store
	Queue      Queue
	Dynamic    Dynamic
	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// Retention removes what is past its time.
type Retention struct {
	Deps
	metrics *metrics
}

// New returns a Retention. It does no I/O.
func New(d Deps) *Retention {
	deps.Must(d)
	return &Retention{Deps: d, metrics: newMetrics(d.Registerer, d.Dynamic)}
}

// actor is who the change audit names.
var actor = store.Actor{Name: "system:janitor"}

// kind is something that is kept for a number of days.
type kind struct {
	name string              // in logs and metrics
	days config.Value[int64] // how long it is kept
	// expired counts what is older than a time, remove removes it.
	expired, remove func(ctx context.Context, before time.Time) (int64, error)
}

func (r *Retention) kinds() []kind {
	return []kind{
		{"audit", r.Dynamic.AuditDays, r.Store.ExpiredChanges, r.removeChanges},
		{"event_audit", r.Dynamic.EventAuditDays, r.Store.ExpiredEvents, r.removeEvents},
		{"dlq", r.Dynamic.DLQDays, r.expiredLetters, r.removeLetters},
	}
}

// Run removes everything that is past its time, or says what it would remove. What fails does not keep the rest from
// being done.
func (r *Retention) Run(ctx context.Context) error {
	if !r.Dynamic.Enabled.Get() {
		return nil
	}
	var errs []error
	for _, k := range r.kinds() {
		if err := r.run(ctx, k); err != nil {
			errs = append(errs, fmt.Errorf("retention of %s: %w", k.name, err))
		}
	}
	if len(errs) == 0 {
		r.metrics.lastRun.Set(float64(r.Now().UnixMilli()) / 1000)
	}
	return errors.Join(errs...)
}

func (r *Retention) run(ctx context.Context, k kind) error {
	days := k.days.Get()
	before := r.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -int(days))
	told := []zap.Field{zap.String("type", k.name), zap.Int64("days", days), zap.Time("older_than", before)}
	if r.Dynamic.DryRun.Get() {
		n, err := k.expired(ctx, before)
		if err == nil {
			r.Log.Info("retention would remove (retention_dry_run)", append(told, zap.Int64("records", n))...)
		}
		return err
	}
	n, err := k.remove(ctx, before)
	if n > 0 {
		r.metrics.deleted.WithLabelValues(k.name).Add(float64(n))
		r.Log.Info("retention removed", append(told, zap.Int64("records", n))...)
	}
	return err
}

func (r *Retention) batch() int { return int(r.Dynamic.BatchSize.Get()) }

// reason is the reason that the change audit shows.
func reason(days config.Value[int64]) string {
	return fmt.Sprintf("retention: %s is %d", days.Name(), days.Get())
}

// steps repeats a bounded step until it has nothing left to do.
func steps(ctx context.Context, step func() (int64, error)) (total int64, err error) {
	for ctx.Err() == nil {
		n, err := step()
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
	return total, ctx.Err()
}

// mostChanges bounds a step of the change audit, during which nobody can change the configuration.
const mostChanges = 1000

func (r *Retention) removeChanges(ctx context.Context, before time.Time) (int64, error) {
	return steps(ctx, func() (int64, error) {
		return r.Store.PruneChanges(ctx, actor, reason(r.Dynamic.AuditDays), before, min(r.batch(), mostChanges))
	})
}

// removeEvents keeps what a queue may still need: an entry that comes again is published from the stored rows.
func (r *Retention) removeEvents(ctx context.Context, before time.Time) (total int64, err error) {
	for _, q := range queue.Names() {
		d, err := r.Queue.Depth(ctx, q)
		if err != nil {
			return 0, fmt.Errorf("look at queue %s: %w", q, err)
		}
		// An hour of slack: the queue's clock is the appending process's.
		if oldest := d.Oldest.Add(-time.Hour).UTC().Truncate(24 * time.Hour); !d.Oldest.IsZero() && oldest.Before(before) {
			before = oldest
		}
	}
	dropped, err := r.Store.DropPartitions(ctx, actor, reason(r.Dynamic.EventAuditDays), before)
	for _, p := range dropped {
		total += p.Rows
	}
	if err != nil {
		return total, err
	}
	loose, err := steps(ctx, func() (int64, error) { return r.Store.PruneEvents(ctx, before, r.batch()) })
	return total + loose, errors.Join(err, r.note(ctx, store.TableEventAudit, before.Format(time.DateOnly), r.Dynamic.EventAuditDays, before, loose))
}

// noteWait bounds the note of what was removed, which the end of the run does not cut off.
const noteWait = 10 * time.Second

// note writes into the change audit what many steps have removed.
func (r *Retention) note(ctx context.Context, table, upTo string, days config.Value[int64], before time.Time, n int64) error {
	if n == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWait)
	defer cancel()
	_, err := r.Store.Change(ctx, actor, reason(days), func(tx *store.Tx) error {
		return tx.RecordOperation(store.OpDelete, table, upTo, map[string]any{"older_than": before.Format(time.RFC3339), "rows": n})
	})
	if err != nil {
		return fmt.Errorf("note in the change audit that %d records of %s were removed: %w", n, table, err)
	}
	return nil
}
