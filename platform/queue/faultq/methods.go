package faultq

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// Capabilities are the inner driver's.
func (d *Driver) Capabilities() queue.Capabilities { return d.inner.Capabilities() }

// Append fails as planned.
func (d *Driver) Append(ctx context.Context, p queue.AppendParams) error {
	return d.call(ctx, Append, func(Fault) error { return d.inner.Append(ctx, p) })
}

// Acquire fails as planned.
func (d *Driver) Acquire(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
	return answered(ctx, d, Acquire, func() (queue.Lease, error) { return d.inner.Acquire(ctx, p) })
}

// Renew fails as planned.
func (d *Driver) Renew(ctx context.Context, l queue.Lease, ttl time.Duration) error {
	return d.call(ctx, Renew, func(Fault) error { return d.inner.Renew(ctx, l, ttl) })
}

// Yield fails as planned.
func (d *Driver) Yield(ctx context.Context, l queue.Lease) error {
	return d.call(ctx, Yield, func(Fault) error { return d.inner.Yield(ctx, l) })
}

// Claim fails as planned, or delivers again what was delivered before.
func (d *Driver) Claim(ctx context.Context, p queue.ClaimParams) ([]queue.Claimed, error) {
	var got []queue.Claimed
	err := d.call(ctx, Claim, func(f Fault) (err error) {
		if got, err = d.inner.Claim(ctx, p); err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		before := d.last[p.Lease]
		d.last[p.Lease] = got
		if f == Repeat {
			got = append(append([]queue.Claimed(nil), before...), got...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// Settle fails as planned.
func (d *Driver) Settle(ctx context.Context, p queue.SettleParams) error {
	return d.call(ctx, Settle, func(Fault) error { return d.inner.Settle(ctx, p) })
}

// Release fails as planned.
func (d *Driver) Release(ctx context.Context, p queue.ReleaseParams) error {
	return d.call(ctx, Release, func(Fault) error { return d.inner.Release(ctx, p) })
}

// Dead fails as planned.
func (d *Driver) Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error) {
	return answered(ctx, d, Dead, func() ([]queue.DeadItem, error) { return d.inner.Dead(ctx, p) })
}

// Requeue fails as planned.
func (d *Driver) Requeue(ctx context.Context, p queue.RequeueParams) (int, error) {
	return answered(ctx, d, Requeue, func() (int, error) { return d.inner.Requeue(ctx, p) })
}

// GiveUp fails as planned.
func (d *Driver) GiveUp(ctx context.Context, q queue.Name, ids []event.ID) (int, error) {
	return answered(ctx, d, GiveUp, func() (int, error) { return d.inner.GiveUp(ctx, q, ids) })
}

// Stored fails as planned.
func (d *Driver) Stored(ctx context.Context, q queue.Name, entries []event.ID) ([]event.ID, error) {
	return answered(ctx, d, Stored, func() ([]event.ID, error) { return d.inner.Stored(ctx, q, entries) })
}

// Discard fails as planned.
func (d *Driver) Discard(ctx context.Context, p queue.DiscardParams) (int, error) {
	return answered(ctx, d, Discard, func() (int, error) { return d.inner.Discard(ctx, p) })
}

// Depth is the inner driver's.
func (d *Driver) Depth(ctx context.Context, q queue.Name) (queue.Depth, error) {
	return d.inner.Depth(ctx, q)
}

// Counters fails as planned.
func (d *Driver) Counters(ctx context.Context, since int64) ([]queue.Counter, error) {
	return answered(ctx, d, Counters, func() ([]queue.Counter, error) { return d.inner.Counters(ctx, since) })
}

// Purge fails as planned.
func (d *Driver) Purge(ctx context.Context, before int64) error {
	return d.call(ctx, Purge, func(Fault) error { return d.inner.Purge(ctx, before) })
}

// Ping fails as planned.
func (d *Driver) Ping(ctx context.Context) error {
	return d.call(ctx, Ping, func(Fault) error { return d.inner.Ping(ctx) })
}

// Close closes the inner driver.
func (d *Driver) Close() error { return d.inner.Close() }
