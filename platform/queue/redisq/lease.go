package redisq

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// Acquire takes or renews the lease of a partition.
func (d *Driver) Acquire(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
	lease, err := d.acquire(ctx, p)
	if err != nil || !d.fence.returned(lease) {
		return lease, err
	}
	// A Redis that came back older gave a lease that had ended; what it had claimed is in nobody's hands.
	if err := d.Yield(ctx, lease); err != nil {
		return queue.Lease{}, err
	}
	return d.acquire(ctx, p)
}

func (d *Driver) acquire(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
	lease := queue.Lease{Queue: p.Queue, Partition: p.Partition, Owner: p.Owner}
	k, err := d.partition(p.Partition)
	if err != nil {
		return queue.Lease{}, err
	}
	c := d.call().text(p.Owner).num(p.TTL.Microseconds()).key(k.lane(p.Queue)...)
	r, err := d.run(ctx, d.scripts.acquire, "take a lease", c)
	if err == nil {
		err = r.refused(lease)
	}
	if err != nil {
		return queue.Lease{}, err
	}
	lease.Token = r.int(0)
	return lease, nil
}

// Renew prolongs a lease.
func (d *Driver) Renew(ctx context.Context, l queue.Lease, ttl time.Duration) error {
	k, err := d.partition(l.Partition)
	if err != nil {
		return err
	}
	c := d.call().lease(l, d.fence.step(l)).num(ttl.Microseconds()).key(k.lane(l.Queue).light()...)
	r, err := d.run(ctx, d.scripts.renew, "renew a lease", c)
	if err != nil {
		return err
	}
	return r.refused(l)
}

// Yield ends a lease.
func (d *Driver) Yield(ctx context.Context, l queue.Lease) error {
	k, err := d.partition(l.Partition)
	if err != nil {
		return err
	}
	r, err := d.run(ctx, d.scripts.yield, "give a lease back", d.call().lease(l, 0).key(k.lane(l.Queue)...))
	if err != nil {
		return err
	}
	d.watches.wake(laneName{l.Queue, l.Partition})
	d.fence.gaveBack(l)
	return r.refused(l)
}
