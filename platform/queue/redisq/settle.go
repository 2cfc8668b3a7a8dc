package redisq

import (
	"context"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Settle acks, notes progress, publishes and buries, all of it or nothing. What it publishes is of the lease's partition,
// and brings no idempotency keys.
func (d *Driver) Settle(ctx context.Context, p queue.SettleParams) error {
	k, err := d.partition(p.Lease.Partition)
	if err != nil {
		return err
	}
	c := d.call().lease(p.Lease, d.fence.step(p.Lease)).op(p.Op).num(timestamp(d.opts.Now()))
	c.key(k.lane(p.Lease.Queue)...).key(k.lane(other(p.Lease.Queue)).light()...).key(k.minutes)
	c.num(int64(len(p.Progress)))
	for i := range p.Progress {
		c.bytes(p.Progress[i].Entry[:]).bytes(p.Progress[i].Note).num(int64(p.Progress[i].Left))
	}
	c.ids(p.Ack)
	if err := c.publish(&p); err != nil {
		return err
	}
	if err := c.bury(&p, d.opts.Now()); err != nil {
		return err
	}
	r, err := d.run(ctx, d.scripts.settle, "settle", c.counts(k, p.Process, p.Counts))
	return d.stepped(p.Lease, r, err)
}

// op is the id of a settlement, empty for none.
func (c *call) op(id event.ID) *call {
	if id == (event.ID{}) {
		return c.text("")
	}
	return c.bytes(id[:])
}

func other(q queue.Name) queue.Name {
	if q == queue.Ingest {
		return queue.Alert
	}
	return queue.Ingest
}

func (c *call) ids(ids []event.ID) *call {
	c.num(int64(len(ids)))
	for i := range ids {
		c.bytes(ids[i][:])
	}
	return c
}

// to says which of the two lanes of a settlement is meant.
func (c *call) to(q queue.Name, l queue.Lease) *call {
	if q == l.Queue {
		return c.text("1")
	}
	return c.text("2")
}

func (c *call) publish(p *queue.SettleParams) error {
	c.num(int64(len(p.Publish)))
	for i := range p.Publish {
		e := &p.Publish[i]
		if err := queue.CheckEntries(p.Publish[i : i+1]); err != nil {
			return err
		}
		if e.Partition != p.Lease.Partition {
			return fault.New(fault.Internal, "an entry of partition %d is published by the holder of %d", e.Partition, p.Lease.Partition)
		}
		c.to(e.Queue, p.Lease).bytes(e.ID[:]).num(int64(e.Events)).body(e.Body)
	}
	return nil
}

// Release gives claimed entries back, all of them or none.
func (d *Driver) Release(ctx context.Context, p queue.ReleaseParams) error {
	k, err := d.partition(p.Lease.Partition)
	if err != nil {
		return err
	}
	attempt := int64(0)
	if p.CountAttempt {
		attempt = 1
	}
	c := d.call().lease(p.Lease, d.fence.step(p.Lease)).num(p.Delay.Microseconds()).text(p.Reason).num(attempt).key(k.lane(p.Lease.Queue)...).ids(p.Entries)
	r, err := d.run(ctx, d.scripts.release, "release", c)
	if err != nil {
		return err
	}
	d.watches.wake(laneName{p.Lease.Queue, p.Lease.Partition})
	return d.stepped(p.Lease, r, nil)
}

// stepped reads the answer to a step of a holder.
func (d *Driver) stepped(l queue.Lease, r reply, err error) error {
	if err == nil {
		err = r.refused(l)
	}
	if err == nil {
		d.fence.saw(l, r.int(0))
	}
	return err
}
