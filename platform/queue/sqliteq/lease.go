package sqliteq

import (
	"context"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Acquire takes or renews the lease of a partition.
func (d *Driver) Acquire(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
	var got queue.Lease
	err := d.do(ctx, true, func(t *tx) error {
		l, err := t.lane(p.Queue, p.Partition)
		if err != nil {
			return err
		}
		switch {
		case !l.held(t.at):
			if err := t.newLease(l, p.Owner); err != nil {
				return err
			}
		case l.owner != p.Owner:
			return fault.New(fault.LeaseHeld, "partition %d of queue %s is held by %s", p.Partition, p.Queue, l.owner)
		}
		l.until = t.at + p.TTL
		got = queue.Lease{Queue: p.Queue, Partition: p.Partition, Owner: p.Owner, Token: l.token}
		return nil
	})
	return got, err
}

// newLease hands a lane over: what the last holder had claimed is ready again, in its old place.
func (t *tx) newLease(l *lane, owner string) error {
	if _, err := t.exec(t.w.stmts.token, l.id, l.token+1); err != nil {
		return fmt.Errorf("store a lease: %w", err)
	}
	if err := t.orphan(l); err != nil {
		return err
	}
	l.token++
	l.owner = owner
	return nil
}

// orphan makes ready what is claimed.
func (t *tx) orphan(l *lane) error {
	if l.claimed.entries == 0 {
		return nil
	}
	if _, err := t.exec(t.w.stmts.orphans, l.id); err != nil {
		return fmt.Errorf("take claimed entries back: %w", err)
	}
	l.claimed.move(&l.ready)
	return nil
}

// Renew prolongs a lease.
func (d *Driver) Renew(ctx context.Context, q queue.Lease, ttl time.Duration) error {
	return d.do(ctx, true, func(t *tx) error {
		l, err := t.lease(q)
		if err == nil {
			l.until = t.at + ttl
		}
		return err
	})
}

// Yield ends a lease.
func (d *Driver) Yield(ctx context.Context, q queue.Lease) error {
	return d.do(ctx, true, func(t *tx) error {
		l, err := t.lease(q)
		if err != nil {
			return nil // it ended before
		}
		l.owner = ""
		return t.orphan(l)
	})
}
