// Package redisq keeps the queues in Redis, for any number of processes.
//
// Principles:
//  1. All that belongs to a partition, of both queues, lies in one slot of a Cluster, and each operation is one script:
//     it happens whole or not at all, and checks the holder in the same step.
//  2. Redis's clock decides on leases, delays and the age of keys; no client's does.
//  3. The owner of an entry is the lease. An entry is given in the order of its place, which it keeps when it comes back.
//  4. Nobody polls: a claim that waits has a blocking read of its partition behind it, on a connection of its own.
//  5. No operation costs more because the queue is long.
//  6. A Redis over its memory limit refuses appends only: what works the queue off goes on.
package redisq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// defaultTimeout is how long a call waits for Redis.
const defaultTimeout = 5 * time.Second

// Options configure a Driver.
type Options struct {
	Config
	Client  rueidis.Client // stays the caller's, who closes it after the driver
	Logger  *zap.Logger
	Timeout time.Duration    // how long a call waits for Redis; 5 s by default
	Now     func() time.Time // the process's clock, for when entries were appended and died
	// Shift moves Redis's clock, as scripts see it, for leases and for all else. Tests let time pass with it.
	Shift func() (lease, wall time.Duration)
	// Memory answers instead of the node of a partition. Tests fill Redis with it.
	Memory func(ctx context.Context, partition int) (used, limit int64, err error)
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Shift == nil {
		o.Shift = func() (lease, wall time.Duration) { return 0, 0 }
	}
	return o
}

// Driver is the queue driver of the distributed mode.
type Driver struct {
	client  rueidis.Client
	opts    Options
	id      string // of this run, for its marks
	scripts *scripts
	keys    []partitionKeys
	loads   map[queue.Name]*load
	watches *watches
	fence   *fence
	guard   *guard
	memory  *memory
	recall  *recall        // nil in Memory mode
	guards  sync.WaitGroup // what runs for these two

	ctx       context.Context // of what outlives a call; ended by Close
	end       context.CancelFunc
	closeOnce sync.Once
}

var _ queue.Driver = (*Driver)(nil)

// Open makes a driver and asks Redis for a sign of life, and how it keeps its data: QueueNotDurable or QueueEvicts when that is
// not what the durability mode needs. Redis need not be prepared otherwise: keys appear with their first use.
func Open(ctx context.Context, o Options) (*Driver, error) {
	if err := static.Validate(o.Settings()); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if err := deps.Check(o, "Memory"); err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	s, err := loadScripts()
	if err != nil {
		return nil, err
	}
	d := &Driver{client: o.Client, opts: o, id: queue.NewEntryID().String(), scripts: s, loads: map[queue.Name]*load{}}
	for p := range o.Partitions {
		d.keys = append(d.keys, newPartitionKeys(o.KeyPrefix, p))
	}
	for _, q := range queue.Names() {
		d.loads[q] = &load{}
	}
	d.ctx, d.end = context.WithCancel(context.WithoutCancel(ctx))
	d.watches, d.fence = newWatches(d), newFence()
	d.memory = newMemory(d)
	d.guard = &guard{client: o.Client, mode: o.Durability, log: o.Logger}
	if err := d.begin(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// begin asks Redis whether it will do, and watches it from then on.
func (d *Driver) begin(ctx context.Context) error {
	if err := d.Ping(ctx); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	if err := d.guard.check(limited); err != nil {
		return err
	}
	d.memory.lookAll(limited)
	d.guards.Go(func() { d.guard.run(d.ctx) })
	d.guards.Go(func() { d.memory.run(d.ctx) })
	if d.opts.Durability != Memory {
		d.recall = newRecall(d, d.opts.Partitions, d.opts.Logger)
		d.guards.Go(func() { d.recall.run(d.ctx) })
	}
	return nil
}

// Warnings says, for health, what the durability mode costs, what of it Redis does not tell or does not keep any more, and
// what was lost within the last hour.
func (d *Driver) Warnings() []string {
	return append(d.guard.told(), d.recall.warnings()...)
}

// Notes returns those of Warnings that follow from the configuration alone.
func (d *Driver) Notes() []string {
	if p := d.opts.Durability.promise(); p != "" {
		return []string{p}
	}
	return nil
}

// MemoryWarnings says, for health, that events are refused because Redis is full, or that nothing bounds its memory.
func (d *Driver) MemoryWarnings() []string { return d.memory.warnings() }

// Capabilities says what this driver can do.
func (d *Driver) Capabilities() queue.Capabilities {
	return queue.Capabilities{Name: "redis", MultiProcess: true, Durability: string(d.opts.Durability)}
}

// Ping reads from every partition.
func (d *Driver) Ping(ctx context.Context) error {
	return d.each(func(p int) error {
		k := d.keys[p].lane(queue.Ingest)
		_, err := d.command(ctx, "reach the queue", d.client.B().Hget().Key(k.state()).Field("token").Build())
		return err
	})
}

// Close ends waiting claims and refuses everything after.
func (d *Driver) Close() error {
	d.closeOnce.Do(func() {
		d.end()
		d.watches.stop()
		d.guards.Wait()
	})
	return nil
}

// open refuses what comes after Close.
func (d *Driver) open() error {
	if d.ctx.Err() != nil {
		return fault.New(fault.Closed, "the queue is closed")
	}
	return nil
}

// partition refuses what does not exist.
func (d *Driver) partition(p int) (*partitionKeys, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	if p < 0 || p >= len(d.keys) {
		return nil, fault.New(fault.Internal, "there is no partition %d", p)
	}
	return &d.keys[p], nil
}

// each does something for all partitions at once, which shares the way to Redis.
func (d *Driver) each(do func(p int) error) error {
	if err := d.open(); err != nil {
		return err
	}
	errs := make([]error, len(d.keys))
	var wg sync.WaitGroup
	for p := range errs {
		wg.Go(func() { errs[p] = do(p) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // the others say the same, mostly
		}
	}
	return nil
}
