package queue

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Holder is the right to work on one partition, for as long as its work's context lives. It may be used by several
// goroutines.
type Holder struct {
	q      *Queue
	lease  Lease
	lose   context.CancelCauseFunc
	outage *outage
}

// Settlement is what a holder does to its entries in one step, see Driver.Settle. A Count without a minute gets the present one.
type Settlement struct {
	Ack      []event.ID
	Progress []Progress
	Publish  []Entry
	Dead     []DeadLetter
	Counts   []Count
}

// Giveback is what a holder releases, see Driver.Release.
type Giveback struct {
	Entries      []event.ID
	Delay        time.Duration
	Reason       string
	CountAttempt bool
}

// Partition gives the partition that is held.
func (h *Holder) Partition() int { return h.lease.Partition }

// Lease gives the lease, for those who watch.
func (h *Holder) Lease() Lease { return h.lease }

// Claim takes up to most entries, waiting up to wait for the first one. When the storage is away, what the call may
// have claimed cannot be known: the error ends the work's context, so that the next lease gets it.
func (h *Holder) Claim(ctx context.Context, most int, wait time.Duration) ([]Claimed, error) {
	got, err := h.q.driver.Claim(ctx, ClaimParams{Lease: h.lease, Max: most, Wait: wait})
	if err != nil {
		err = fmt.Errorf("claim: %w", h.noticed(err))
		if fault.Is(err, fault.QueueUnavailable) {
			h.lose(err)
		}
		return nil, err
	}
	return got, nil
}

// Settle acks, notes progress, publishes, buries and counts, in one step. While the storage is away it is repeated until ctx
// ends: a repeat of one that was done after all is recognised by its acks, or by an id when it has none.
func (h *Holder) Settle(ctx context.Context, s Settlement) error {
	p := SettleParams{Lease: h.lease, Ack: s.Ack, Progress: s.Progress, Publish: s.Publish, Dead: s.Dead,
		Process: h.q.opts.Process, Counts: s.Counts}
	for i := range p.Counts {
		if p.Counts[i].Minute == 0 {
			p.Counts[i].Minute = h.q.Minute()
		}
	}
	if len(s.Ack) == 0 {
		p.Op = NewEntryID()
	}
	unknown := false
	err := h.patiently(ctx, func() error {
		err := h.q.driver.Settle(ctx, p)
		if unknown && len(p.Ack) > 0 && fault.Is(err, fault.StaleReceipt) {
			return nil // only this holder can have acked under its lease
		}
		unknown = unknown || fault.Is(err, fault.QueueUnavailable)
		return err
	})
	return h.wrap("settle", err)
}

// Release gives claimed entries back.
func (h *Holder) Release(ctx context.Context, g Giveback) error {
	unknown := false
	err := h.patiently(ctx, func() error {
		err := h.q.driver.Release(ctx, ReleaseParams{Lease: h.lease, Entries: g.Entries, Delay: g.Delay,
			Reason: g.Reason, CountAttempt: g.CountAttempt})
		if unknown && fault.Is(err, fault.StaleReceipt) {
			return nil
		}
		unknown = unknown || fault.Is(err, fault.QueueUnavailable)
		return err
	})
	return h.wrap("release", err)
}

// patiently repeats what fails because the storage is away, and says so.
func (h *Holder) patiently(ctx context.Context, do func() error) error {
	return retry(ctx, 0, func() error {
		err := do()
		if fault.Is(err, fault.QueueUnavailable) {
			h.outage.noticed("the queue is unavailable, waiting for it", err, zap.Int("partition", h.lease.Partition))
		}
		return err
	})
}

func (h *Holder) wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, h.noticed(err))
}

// noticed ends the work when the storage says that the lease ended.
func (h *Holder) noticed(err error) error {
	if fault.Is(err, fault.LeaseLost) {
		h.lose(err)
	}
	return err
}
