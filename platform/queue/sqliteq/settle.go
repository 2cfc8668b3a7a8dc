package sqliteq

import (
	"context"
	"fmt"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// receipt is an entry that is claimed under the caller's lease.
type receipt struct{ seq, events, size int64 }

// Settle acks, notes progress, publishes and buries, all of it or nothing.
func (d *Driver) Settle(ctx context.Context, p queue.SettleParams) error {
	for i := range p.Publish { // they may be of several partitions, each must be fit
		if err := queue.CheckEntries(p.Publish[i : i+1]); err != nil {
			return err
		}
	}
	return d.do(ctx, false, func(t *tx) error { return t.settle(&p) })
}

func (t *tx) settle(p *queue.SettleParams) error {
	l, err := t.lease(p.Lease)
	if err != nil {
		return err
	}
	if done, err := t.done(p.Op); err != nil || done {
		return err
	}
	for _, n := range p.Progress { // before the acks: an entry may be in both
		r, err := t.receipt(l, n.Entry)
		if err != nil {
			return err
		}
		left := r.events
		if n.Left > 0 {
			left = int64(n.Left)
		}
		if _, err := t.exec(t.w.stmts.note, r.seq, n.Note, left); err != nil {
			return fmt.Errorf("note progress of entry %s: %w", n.Entry, err)
		}
		l.claimed.add(0, left-r.events, 0)
	}
	if err := t.ack(l, p.Ack); err != nil {
		return err
	}
	if err := t.publish(p.Publish); err != nil {
		return err
	}
	if err := t.bury(p.Lease.Partition, p.Dead); err != nil {
		return err
	}
	return t.count(p.Process, p.Counts)
}

// done tells whether a settlement was done before, and remembers it. Its id stands among the senders' keys, which are
// UUIDs of another version, and goes with them; the random entry makes each further call a repeat.
func (t *tx) done(op event.ID) (bool, error) {
	if op == (event.ID{}) {
		return false, nil
	}
	now, entry := t.now(), queue.NewEntryID()
	n, err := t.exec(t.w.stmts.key, op[:], entry[:], 0, now, now-keyLife.Microseconds())
	if err != nil {
		return false, fmt.Errorf("remember a settlement: %w", err)
	}
	return n == 0, nil
}

// receipt finds an entry that is claimed in a lane.
func (t *tx) receipt(l *lane, id event.ID) (receipt, error) {
	var r receipt
	found, err := t.row(t.w.stmts.byID, []any{id[:], l.id}, &r.seq, &r.events, &r.size)
	if err != nil {
		return r, fmt.Errorf("look for entry %s: %w", id, err)
	}
	if !found {
		return r, fault.New(fault.StaleReceipt, "entry %s is not claimed under this lease", id)
	}
	return r, nil
}

func (t *tx) ack(l *lane, ids []event.ID) error {
	for _, id := range ids {
		r, err := t.receipt(l, id)
		if err != nil {
			return err
		}
		if _, err := t.exec(t.w.stmts.remove, r.seq); err != nil {
			return fmt.Errorf("remove entry %s: %w", id, err)
		}
		if _, err := t.exec(t.w.stmts.removeBody, r.seq); err != nil {
			return fmt.Errorf("remove the body of entry %s: %w", id, err)
		}
		l.claimed.add(-1, -r.events, -r.size)
		l.stale = true
	}
	return nil
}

func (t *tx) publish(entries []queue.Entry) error {
	_, fresh, err := t.fresh(entries)
	if err != nil {
		return err
	}
	for i := range fresh {
		if err := t.insert(fresh[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) bury(partition int, dead []queue.DeadLetter) error {
	now := t.now()
	for i := range dead {
		dl := &dead[i]
		l, err := t.lane(dl.Queue, partition)
		if err != nil {
			return err
		}
		body := dl.Body
		if body == nil {
			body = []byte{}
		}
		n, err := t.exec(t.w.stmts.bury, string(dl.Queue), dl.ID[:], l.id, body, dl.Hostname, dl.Code, dl.Reason,
			dl.Attempts, dl.First.UnixMicro(), now, dl.Replays)
		if err != nil {
			return fmt.Errorf("store dead letter %s: %w", dl.ID, err)
		}
		l.dead += n
	}
	return nil
}

// Release gives claimed entries back, all of them or none.
func (d *Driver) Release(ctx context.Context, p queue.ReleaseParams) error {
	return d.do(ctx, true, func(t *tx) error { return t.release(&p) })
}

func (t *tx) release(p *queue.ReleaseParams) error {
	l, err := t.lease(p.Lease)
	if err != nil {
		return err
	}
	state, due, attempt := ready, int64(0), 0
	if p.Delay > 0 {
		state, due = delayed, t.now()+p.Delay.Microseconds()
	}
	if p.CountAttempt {
		attempt = 1
	}
	for _, id := range p.Entries {
		r, err := t.receipt(l, id)
		if err != nil {
			return err
		}
		if _, err := t.exec(t.w.stmts.giveUp, r.seq, state, due, p.Reason, attempt); err != nil {
			return fmt.Errorf("release entry %s: %w", id, err)
		}
		l.claimed.add(-1, -r.events, -r.size)
		if state == ready {
			l.ready.add(1, r.events, r.size)
			continue
		}
		l.stale = true
		l.delayed.add(1, r.events, r.size)
		if l.nextDue == 0 || due < l.nextDue {
			l.nextDue = due
		}
	}
	return nil
}
