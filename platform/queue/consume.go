package queue

import (
	"context"
	"errors"
	"fmt"
	"github.com/muttproject/mutt/platform/trouble"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
)

// defaultTTL is how long a lease lives without a sign of life of its holder: a third is between two renewals, and what a
// dead process held is another's within the whole and two looks.
const defaultTTL = 5 * time.Second

// lookEvery is how often a consumer looks at the roster, and whether a partition is to be had.
func lookEvery(ttl time.Duration) time.Duration { return ttl / 5 }

// ConsumeOptions configure Consume.
type ConsumeOptions struct {
	Queue    Name
	LeaseTTL time.Duration // 5 s by default
	Logger   *zap.Logger
}

// Work is run for each partition that this process holds. Its context ends with the caller's, or with cause LeaseLost.
// When it returns, what it had claimed and not settled goes back.
type Work func(ctx context.Context, h *Holder) error

// Consume holds this process' share of a queue's partitions and runs work on each, in a goroutine of its own, until ctx ends.
// Partitions that another process holds are tried again and again; work that fails or loses its lease is begun again after a
// pause, and work on what is over the share is ended in good order. The error is nil when ctx ended, and Closed when the queue
// was closed.
func (q *Queue) Consume(ctx context.Context, o ConsumeOptions, work Work) error {
	if o.LeaseTTL <= 0 {
		o.LeaseTTL = defaultTTL
	}
	deps.Must(o)
	o.Logger = o.Logger.With(zap.String("queue", string(o.Queue)))
	// The owner is this call in this run: two consumers of one process must not take each other for themselves, nor a
	// process its predecessor, whose claims only a new lease brings back.
	owner := fmt.Sprintf("%s/%s#%d", q.opts.Owner, q.opts.Process, q.consumers.Add(1))
	troubles := trouble.NewBoard(o.Logger, time.Now)
	out := newOutage(o.Logger, troubles)
	roster, rostered := q.driver.(Roster)
	s := newShare(owner, q.opts.Partitions, o.LeaseTTL, rostered)
	announcing, stop := context.WithCancel(ctx)
	defer stop()
	var announced, working sync.WaitGroup
	announced.Go(func() { troubles.Run(announcing) })
	if rostered {
		a := &announcer{roster: roster, queue: o.Queue, ttl: o.LeaseTTL, share: s, outage: out}
		_ = a.look(ctx) // an error was told, and run goes on
		announced.Go(func() { a.run(announcing) })
	}
	errs := make([]error, q.opts.Partitions)
	for p := range errs {
		c := &consumer{q: q, opts: o, owner: owner, partition: p, work: work, share: s, outage: out,
			log: o.Logger.With(zap.Int("partition", p))}
		working.Go(func() { errs[p] = c.loop(ctx) })
	}
	working.Wait()
	stop()
	announced.Wait()
	return errors.Join(errs...)
}

// consumer works on one partition.
type consumer struct {
	q         *Queue
	opts      ConsumeOptions
	owner     string
	partition int
	work      Work
	share     *share
	outage    *outage
	log       *zap.Logger
	owed      *Lease // could not be given back
}

// loop holds the partition whenever it can.
func (c *consumer) loop(ctx context.Context) error {
	pause := firstPause
	for ctx.Err() == nil {
		start := time.Now()
		began, err := c.turn(ctx)
		if began && time.Since(start) > lastPause {
			pause = firstPause // it went well for a while
		}
		next := pause
		switch {
		case ctx.Err() != nil:
			return nil
		case fault.Is(err, fault.Closed):
			return err
		case fault.Is(err, fault.LeaseHeld), err == nil && !began:
			next = lookEvery(c.opts.LeaseTTL) // nothing is wrong: somebody else works on it
		default:
			if err != nil {
				c.outage.noticed("partition is not being worked on", err, zap.Int("partition", c.partition), zap.Duration("next_try", pause))
			}
			pause = min(2*pause, lastPause)
		}
		if sleep(ctx, jitter(next)) != nil {
			return nil
		}
	}
	return nil
}

// turn takes the lease, works, and gives it back. began is false when the lease was not to be had.
func (c *consumer) turn(ctx context.Context) (began bool, err error) {
	// While it lives, Acquire would only renew it, and nobody would get what it had claimed.
	if c.owed != nil {
		if err := c.yield(ctx, *c.owed); err != nil {
			return false, fmt.Errorf("give back the last lease: %w", err)
		}
		c.owed = nil
	}
	asked := time.Now()
	t := c.share.take(c.partition, asked)
	if t == nil {
		return false, nil
	}
	defer c.share.drop(t)
	lease, err := c.acquire(ctx)
	if err != nil {
		return false, fmt.Errorf("take the lease: %w", err)
	}
	workCtx, lose := context.WithCancelCause(ctx)
	c.share.began(t, func() { lose(context.Canceled) })
	h := &Holder{q: c.q, lease: lease, lose: lose, outage: c.outage}
	// The lease outlives workCtx: work that ends in good order takes its time for that.
	holding, letGo := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	renewing.Go(func() { c.renew(holding, h, asked) })
	err = c.work(workCtx, h)
	letGo()
	lose(context.Canceled) // a cause that came before stays
	renewing.Wait()
	if cause := context.Cause(workCtx); !gone(cause) {
		err = cause // says more than what the work made of its ended context
		if fault.Is(cause, fault.LeaseLost) {
			c.q.metrics.leaseLost(c.opts.Queue)
		}
	}
	if failed := c.yield(ctx, lease); failed != nil {
		c.owed = &lease
		c.outage.noticed("lease was not given back", failed, zap.Int("partition", c.partition))
	}
	return true, err
}

// acquire asks for the lease, for as long as its answer would be of use.
func (c *consumer) acquire(ctx context.Context) (Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.LeaseTTL/2)
	defer cancel()
	return c.q.driver.Acquire(ctx, LeaseParams{Queue: c.opts.Queue, Partition: c.partition, Owner: c.owner, TTL: c.opts.LeaseTTL})
}

// renew keeps the lease alive until ctx ends. A lease that could not be renewed in time counts as lost: the storage
// may have given it to another.
func (c *consumer) renew(ctx context.Context, h *Holder, renewed time.Time) {
	ttl := c.opts.LeaseTTL
	for sleep(ctx, ttl/3) == nil {
		inTime, cancel := context.WithDeadline(ctx, renewed.Add(ttl-ttl/10))
		asked := renewed
		err := retry(inTime, 0, func() error {
			asked = time.Now()
			return c.q.driver.Renew(inTime, h.lease, ttl)
		})
		cancel()
		switch {
		case err == nil:
			renewed = asked
		case ctx.Err() != nil:
			return
		case fault.Is(err, fault.LeaseLost):
			h.lose(err)
			return
		default:
			h.lose(fault.Wrap(fault.LeaseLost, err, "the lease of partition %d could not be renewed", c.partition))
			return
		}
	}
}

// yield gives the lease back, also when ctx ended: the next holder need not wait for it to expire.
func (c *consumer) yield(ctx context.Context, l Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opts.LeaseTTL)
	defer cancel()
	return c.q.driver.Yield(ctx, l)
}
