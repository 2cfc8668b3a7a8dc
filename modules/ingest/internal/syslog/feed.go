package syslog

import (
	"context"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Batch gathers events for one submission. Add copies what it keeps of e.
type Batch interface {
	Add(e *event.Event, key *[16]byte)
}

// Sink stores events durably.
type Sink interface {
	NewBatch() Batch
	// Submit returns when the events of b are durable, but for those in failed, which counts the calls of Add
	// from 0. An error means that none is. b is not used again, whatever Submit returns. An error is worth
	// another try when it is a *fault.Error with a RetryAfter.
	Submit(ctx context.Context, b Batch) (failed map[int]error, err error)
}

// maxBatch is the number of events of one submission at most (performance.md: 500 per queue entry).
const maxBatch = 500

// Waits between tries to submit.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// feed parses lines and submits them. It belongs to one goroutine, so that order is kept.
type feed struct {
	parser  *Parser
	sink    Sink
	metrics *transportMetrics
	event   event.Event
	lines   []int // which lines the batch holds
	failing failing
}

// failing is told when submissions fail and when they work again.
type failing interface{ set(cause) }

// deliver stores lines, at most maxBatch. It tries again until giveUp (zero: without end) or until ctx ends, then
// counts what is left as lost.
func (f *feed) deliver(ctx context.Context, lines []Line, giveUp time.Time) {
	batch := f.first(lines)
	for wait := firstRetry; len(f.lines) > 0; wait = min(2*wait, lastRetry) {
		why := f.submit(ctx, batch)
		if len(f.lines) == 0 {
			break
		}
		f.failing.set(why)
		late := !giveUp.IsZero() && !time.Now().Add(wait).Before(giveUp)
		if !late && pause(ctx, wait) {
			batch = f.again(lines)
			continue
		}
		if ctx.Err() != nil {
			why = causeStopping
		}
		f.metrics.lost(why, len(f.lines))
		return
	}
	f.failing.set(causeNone)
}

// first parses lines into a batch and counts them.
func (f *feed) first(lines []Line) Batch {
	var formats [len(formatNames)]int
	batch, truncated, replaced := f.sink.NewBatch(), 0, 0
	f.lines = f.lines[:0]
	for i := range lines {
		format := f.parser.Parse(&lines[i], &f.event)
		formats[format]++
		if format == FormatEmpty {
			continue
		}
		if lines[i].Truncated {
			truncated++
		}
		if f.parser.clockReplaced {
			replaced++
		}
		batch.Add(&f.event, nil)
		f.lines = append(f.lines, i)
	}
	f.metrics.received(&formats, truncated, replaced)
	return batch
}

// again makes a batch of the lines that are left.
func (f *feed) again(lines []Line) Batch {
	batch := f.sink.NewBatch()
	for _, i := range f.lines {
		f.parser.Parse(&lines[i], &f.event)
		batch.Add(&f.event, nil)
	}
	return batch
}

// submit leaves in f.lines what is worth another try, and says why it failed.
func (f *feed) submit(ctx context.Context, batch Batch) (why cause) {
	failed, err := f.sink.Submit(ctx, batch)
	if err != nil {
		if ctx.Err() == nil && !retryable(err) {
			f.metrics.lost(causeRefused, len(f.lines))
			f.lines = f.lines[:0]
		}
		return causeOf(err)
	}
	at := -1
	f.lines = slices.DeleteFunc(f.lines, func(int) bool {
		at++
		err, bad := failed[at]
		switch {
		case !bad:
			return true
		case !retryable(err):
			f.metrics.lost(causeRefused, 1)
			return true
		}
		why = causeOf(err)
		return false
	})
	return why
}

func retryable(err error) bool {
	e, ok := fault.As(err)
	return ok && e.RetryAfter > 0
}

// pause waits; it is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
