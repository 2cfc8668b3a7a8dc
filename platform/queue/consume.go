package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
)

// defaultTTL is how long a lease lives without a sign of life of its holder.
const defaultTTL = 10 * time.Second

// ConsumeOptions configure Consume.
type ConsumeOptions struct {
	Queue    Name
	LeaseTTL time.Duration // 10 s by default
	Logger   *zap.Logger   // nil for none
}

// Work is run for each partition that this process holds. Its context ends with the caller's, or with cause LeaseLost.
// When it returns, what it had claimed and not settled goes back.
type Work func(ctx context.Context, h *Holder) error

// Consume holds partitions of a queue and runs work on each, in a goroutine of its own, until ctx ends. Partitions that
// another process holds are tried again and again; work that fails or loses its lease is begun again after a pause. The
// error is nil when ctx ended, and Closed when the queue was closed.
func (q *Queue) Consume(ctx context.Context, o ConsumeOptions, work Work) error {
	if o.LeaseTTL <= 0 {
		o.LeaseTTL = defaultTTL
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	// The owner is this call: two consumers of one process must not take each other for themselves.
	owner := fmt.Sprintf("%s#%d", q.opts.Owner, q.consumers.Add(1))
	errs := make([]error, q.opts.Partitions)
	var wg sync.WaitGroup
	for p := range errs {
		c := &consumer{q: q, opts: o, owner: owner, partition: p, work: work,
			log: o.Logger.With(zap.String("queue", string(o.Queue)), zap.Int("partition", p))}
		wg.Go(func() { errs[p] = c.loop(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// wants decides whether this process should hold a partition. Embedded it should hold all.
func (q *Queue) wants(int) bool { return true }

// consumer works on one partition.
type consumer struct {
	q         *Queue
	opts      ConsumeOptions
	owner     string
	partition int
	work      Work
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
		switch {
		case ctx.Err() != nil:
			return nil
		case fault.Is(err, fault.Closed):
			return err
		case fault.Is(err, fault.LeaseHeld), err == nil && !began:
			pause = c.opts.LeaseTTL / 3 // nothing is wrong: somebody else works on it
		case err != nil:
			c.log.Warn("partition is not being worked on", zap.Error(err), zap.Duration("next_try", pause))
		}
		if sleep(ctx, jitter(pause)) != nil {
			return nil
		}
		pause = min(2*pause, lastPause)
	}
	return nil
}

// turn takes the lease, works, and gives it back. began is false when the lease was not to be had.
func (c *consumer) turn(ctx context.Context) (began bool, err error) {
	if !c.q.wants(c.partition) {
		return false, nil
	}
	// While it lives, Acquire would only renew it, and nobody would get what it had claimed.
	if c.owed != nil {
		if err := c.yield(ctx, *c.owed); err != nil {
			return false, fmt.Errorf("give back the last lease: %w", err)
		}
		c.owed = nil
	}
	asked := time.Now()
	lease, err := c.q.driver.Acquire(ctx, LeaseParams{Queue: c.opts.Queue, Partition: c.partition, Owner: c.owner, TTL: c.opts.LeaseTTL})
	if err != nil {
		return false, fmt.Errorf("take the lease: %w", err)
	}
	workCtx, lose := context.WithCancelCause(ctx)
	h := &Holder{q: c.q, lease: lease, lose: lose, log: c.log}
	var renewing sync.WaitGroup
	renewing.Go(func() { c.renew(workCtx, h, asked) })
	err = c.work(workCtx, h)
	lose(context.Canceled) // ends the renewing; a cause that came before stays
	renewing.Wait()
	if cause := context.Cause(workCtx); !gone(cause) {
		err = cause // says more than what the work made of its ended context
		if fault.Is(cause, fault.LeaseLost) {
			c.q.metrics.leaseLost(c.opts.Queue)
		}
	}
	if failed := c.yield(ctx, lease); failed != nil {
		c.owed = &lease
		if !fault.Is(failed, fault.Closed) {
			c.log.Warn("lease was not given back", zap.Error(failed))
		}
	}
	return true, err
}

// renew keeps the lease alive until ctx ends. A lease that could not be renewed in time counts as lost: the storage
// may have given it to another.
func (c *consumer) renew(ctx context.Context, h *Holder, renewed time.Time) {
	tick := time.NewTicker(c.opts.LeaseTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		err := c.q.driver.Renew(ctx, h.lease, c.opts.LeaseTTL)
		switch {
		case err == nil:
			renewed = asked
		case ctx.Err() != nil:
			return
		case fault.Is(err, fault.LeaseLost):
			h.lose(err)
			return
		case time.Since(renewed)+c.opts.LeaseTTL/3 >= c.opts.LeaseTTL:
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
