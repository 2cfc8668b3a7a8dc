package sqliteq

import (
	"context"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Claim takes entries, waiting for the first one.
func (d *Driver) Claim(ctx context.Context, p queue.ClaimParams) ([]queue.Claimed, error) {
	var over <-chan time.Time
	if p.Wait > 0 {
		timer := time.NewTimer(p.Wait)
		defer timer.Stop()
		over = timer.C
	}
	key := laneKey{p.Lease.Queue, p.Lease.Partition}
	for {
		var news <-chan struct{}
		if p.Wait > 0 {
			news = d.watch(key) // before the look, so that nothing falls between
		}
		got, err := d.claim(ctx, p)
		if err != nil || len(got) > 0 || p.Wait <= 0 {
			return got, err
		}
		again, err := d.wait(ctx, key, news, over)
		if err != nil || !again {
			return nil, err
		}
	}
}

// wait waits until a lane may have something; again is false when the caller's time is over.
func (d *Driver) wait(ctx context.Context, key laneKey, news <-chan struct{}, over <-chan time.Time) (again bool, err error) {
	var due <-chan time.Time
	if l, ok := d.laneView(key); ok && l.nextDue > 0 {
		timer := time.NewTimer(time.UnixMicro(l.nextDue).Sub(d.opts.Now()))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-news:
		return true, nil
	case <-due:
		return true, nil
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-d.closing:
		return false, fault.New(fault.Closed, "the queue is closed")
	}
}

// claim takes what is ready now.
func (d *Driver) claim(ctx context.Context, p queue.ClaimParams) ([]queue.Claimed, error) {
	var got []queue.Claimed
	err := d.do(ctx, true, func(t *tx) error {
		got = got[:0]
		l, err := t.lease(p.Lease)
		if err != nil {
			return err
		}
		if err := t.wakeDue(l); err != nil {
			return err
		}
		if l.ready.entries == 0 || p.Max <= 0 {
			return nil
		}
		got, err = t.claim(l, p.Max, got)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

// wakeDue makes delayed entries ready whose time has come; they take up their old place.
func (t *tx) wakeDue(l *lane) error {
	now := t.now()
	if l.nextDue == 0 || l.nextDue > now {
		return nil
	}
	err := t.rows(t.w.stmts.wake, []any{l.id, now}, func(scan func(...any) error) error {
		var events, size int64
		if err := scan(&events, &size); err != nil {
			return err
		}
		l.delayed.add(-1, -events, -size)
		l.ready.add(1, events, size)
		return nil
	})
	if err != nil {
		return fmt.Errorf("wake delayed entries: %w", err)
	}
	l.stale = true
	return t.findDue(l)
}

// findDue reads when the next delayed entry becomes ready.
func (t *tx) findDue(l *lane) error {
	if l.nextDue = 0; l.delayed.entries == 0 {
		return nil
	}
	if _, err := t.row(t.w.stmts.nextDue, []any{l.id}, &l.nextDue); err != nil {
		return fmt.Errorf("find the next delayed entry: %w", err)
	}
	return nil
}

// claim marks the first entries of a lane as claimed. One whose body is missing (a damaged file) is given with none: its
// reader treats it like any body that does not decode, and it blocks nothing.
func (t *tx) claim(l *lane, most int, got []queue.Claimed) ([]queue.Claimed, error) {
	var last, events, bytes int64
	err := t.rows(t.w.stmts.peek, []any{l.id, most}, func(scan func(...any) error) error {
		var c queue.Claimed
		var id []byte
		var at, size int64
		if err := scan(&last, &id, &c.Events, &size, &c.Deliveries, &c.Attempts, &c.Replays, &c.Reason, &c.Progress, &at, &c.Body); err != nil {
			return err
		}
		copy(c.Entry[:], id)
		c.Deliveries++
		c.AppendedAt = time.UnixMicro(at).UTC()
		events += int64(c.Events)
		bytes += size
		got = append(got, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	n, err := t.exec(t.w.stmts.claim, l.id, last)
	if err != nil {
		return nil, fmt.Errorf("claim entries: %w", err)
	}
	if n != int64(len(got)) {
		return nil, fault.New(fault.Corrupt, "%d entries up to %d are claimed, but %d were read", n, last, len(got))
	}
	l.ready.add(-n, -events, -bytes)
	l.claimed.add(n, events, bytes)
	return got, nil
}
