// Package queue carries batches between modules and loses none.
//
// Principles:
//  1. Modules hold the concrete Queue, Writer and Holder of this package; a Driver is small and storage-only.
//  2. The unit is an entry that carries a batch of one partition; FIFO is promised per partition.
//  3. No timer makes a batch: the next write starts when the previous one ends.
//  4. At-least-once: whoever reads must recognise an entry id that it has seen.
//  5. What belongs together (ack, publication, dead letters, counts) is one Settle.
package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Options configure a Queue.
type Options struct {
	Partitions int    // the same in every process: 1 embedded, 4 by default distributed
	Process    string // the process run, for counters: unique per start
	Owner      string // the process, for leases
	Now        func() time.Time
	Registerer prometheus.Registerer // of the metrics of the queue and of its driver
}

// Queue is what modules hold.
type Queue struct {
	driver    Driver
	opts      Options
	metrics   *metrics
	consumers atomic.Int64
}

// New returns a Queue on a driver. It does no I/O, and panics when a dependency is missing.
func New(d Driver, o Options) *Queue {
	if o.Partitions < 1 {
		o.Partitions = 1
	}
	deps.Must(o)
	if m, ok := d.(interface{ Metrics() prometheus.Collector }); ok {
		o.Registerer.MustRegister(m.Metrics()) // the driver's own
	}
	return &Queue{driver: d, opts: o, metrics: newMetrics(o.Registerer)}
}

// NewEntryID makes the id of an entry.
func NewEntryID() event.ID { return uuid.Must(uuid.NewV7()) } // fails only when the system has no randomness

// Partitions gives the number of partitions.
func (q *Queue) Partitions() int { return q.opts.Partitions }

// Capabilities says what the storage can do.
func (q *Queue) Capabilities() Capabilities { return q.driver.Capabilities() }

// Partition returns the partition of a host: FNV-1a of its identity, the same in every process. Its spellings share a
// partition, so that a device's raise and clear stay in order.
func (q *Queue) Partition(hostname string) int {
	if q.opts.Partitions == 1 {
		return 0
	}
	h := uint32(2166136261)
	for i := range len(hostname) {
		h = (h ^ uint32(event.FoldByte(hostname[i]))) * 16777619
	}
	return int(h % uint32(q.opts.Partitions))
}

// Minute gives the current minute for counts, in Unix minutes.
func (q *Queue) Minute() int64 { return q.opts.Now().Unix() / 60 }

// Append stores ready-made entries; they may be of several partitions. It tries again while the storage is away, a few times and
// as long as ctx allows. The counts go with the first partition. When it fails after some partitions were stored, repeating the call
// is safe.
func (q *Queue) Append(ctx context.Context, entries []Entry, counts []Count) error {
	for len(entries) > 0 || len(counts) > 0 {
		group, rest := firstGroup(entries)
		if err := q.append(ctx, AppendParams{Entries: group, Counts: counts}); err != nil {
			return err
		}
		entries, counts = rest, nil
	}
	return nil
}

// firstGroup splits off the entries of the first one's queue and partition, in their order.
func firstGroup(entries []Entry) (group, rest []Entry) {
	for i := range entries {
		if entries[i].Queue == entries[0].Queue && entries[i].Partition == entries[0].Partition {
			group = append(group, entries[i])
		} else {
			rest = append(rest, entries[i])
		}
	}
	return group, rest
}

// append is one append to the storage with retries. An entry keeps its id, so that a repeat after an unknown outcome is recognised.
func (q *Queue) append(ctx context.Context, p AppendParams) error {
	p.Process = q.opts.Process
	for i := range p.Counts {
		if p.Counts[i].Minute == 0 {
			p.Counts[i].Minute = q.Minute()
		}
	}
	start := time.Now()
	err := retry(ctx, appendTries, func() error { return q.driver.Append(ctx, p) })
	if len(p.Entries) > 0 {
		q.metrics.appended(p.Entries, time.Since(start), err)
	}
	if err != nil {
		return fmt.Errorf("append to the queue: %w", err)
	}
	return nil
}

// Depth counts what a queue holds. It is cheap enough for every request.
func (q *Queue) Depth(ctx context.Context, name Name) (Depth, error) {
	return q.driver.Depth(ctx, name)
}

// Ping asks the storage for a sign of life.
func (q *Queue) Ping(ctx context.Context) error { return q.driver.Ping(ctx) }

// Dead lists dead letters.
func (q *Queue) Dead(ctx context.Context, p DeadParams) ([]DeadItem, error) {
	return q.driver.Dead(ctx, p)
}

// Requeue puts dead letters back; Process and Minute are filled in.
func (q *Queue) Requeue(ctx context.Context, p RequeueParams) (int, error) {
	p.Process, p.Minute = q.opts.Process, q.Minute()
	return q.driver.Requeue(ctx, p)
}

// GiveUp marks dead letters that nothing replays by itself any more.
func (q *Queue) GiveUp(ctx context.Context, name Name, ids []event.ID) (int, error) {
	return q.driver.GiveUp(ctx, name, ids)
}

// Stored returns those of the entries that are not acknowledged yet.
func (q *Queue) Stored(ctx context.Context, name Name, entries []event.ID) ([]event.ID, error) {
	return q.driver.Stored(ctx, name, entries)
}

// Discard deletes dead letters; Process and Minute are filled in.
func (q *Queue) Discard(ctx context.Context, p DiscardParams) (int, error) {
	p.Process, p.Minute = q.opts.Process, q.Minute()
	return q.driver.Discard(ctx, p)
}

// Counters lists the counters with a minute at or after since (Unix minutes).
func (q *Queue) Counters(ctx context.Context, since int64) ([]Counter, error) {
	return q.driver.Counters(ctx, since)
}

// Purge deletes the counters before a minute and old idempotency keys.
func (q *Queue) Purge(ctx context.Context, before int64) error { return q.driver.Purge(ctx, before) }

const (
	appendTries = 3
	firstPause  = 50 * time.Millisecond
	lastPause   = 2 * time.Second
)

// retry repeats what failed because the storage is away, with growing pauses, up to tries times (0 for ever) and while ctx
// lives. It gives the last error of the storage, which says more than that of the context.
func retry(ctx context.Context, tries int, do func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := do()
		if !fault.Is(err, fault.QueueUnavailable) || n == tries {
			return err
		}
		if sleep(ctx, jitter(pause)) != nil {
			return err
		}
		pause = min(2*pause, lastPause)
	}
}

// sleep waits, and gives the cause when ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gone reports that an error is a context's, not the storage's.
func gone(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
