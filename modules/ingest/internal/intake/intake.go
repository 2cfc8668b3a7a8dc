// Package intake is the one way into the ingest queue: HTTP, syslog and traps fill a Batch and submit it.
//
// Principles:
//  1. Accepted means durable: Submit returns nil only after the queue's write is on disk (or in its spool).
//  2. A listener hands over events; identity, receipt time, correlation id, clean text and size are settled here,
//     so that they are the same for every listener.
//  3. No allocation per event: a batch encodes into one pooled buffer while it is filled.
//  4. Nothing is dropped silently: what was not stored is an error of the submission or of an index.
package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Writer stores events durably. Its errors are *fault.Error (QueueFull, QueueUnavailable) for the whole
// submission, or *queue.PartialError.
type Writer interface {
	Append(ctx context.Context, items []queue.Item) error
}

// Limiter is the shared event rate limit. Take takes n tokens or none; when it refuses, wait says
// when to try again.
type Limiter interface {
	Take(ctx context.Context, n int64) (wait time.Duration, ok bool, err error)
}

// Deps are what an Intake needs. All are required.
type Deps struct {
	Writer    Writer
	Partition func(host string) int
	Depth     func() int64 // events waiting, for answers
	Limiter   Limiter
	Now       func() time.Time
	Metrics   *Metrics
}

// Limits bound what one event may hold. They are in bytes.
type Limits struct {
	MaxEvent int // encoded
}

// MaxEvent is the largest encoded event, 256 KiB (behaviour.md, Ingestor).
const MaxEvent = 256 << 10

// Outcome says what became of the events of a submission. Positions count the calls of Batch.Add from 0.
type Outcome struct {
	Accepted int           // durable now, repeats included
	Repeated int           // of these, how many were accepted before under the same key
	Failed   map[int]error // the others; nil when there are none
}

// Intake is shared by every listener of a process. Safe for concurrent use.
type Intake struct {
	deps   Deps
	limits Limits
	ids    idSource
	pool   sync.Pool

	mu     sync.RWMutex // guards closed against running submissions
	closed bool
	active sync.WaitGroup
}

// New makes an Intake. It does no I/O.
func New(d Deps, l Limits) *Intake {
	deps.Must(d)
	in := &Intake{deps: d, limits: l}
	in.pool.New = func() any { return &Batch{in: in} }
	return in
}

// Depth gives how many events wait in the queue.
func (in *Intake) Depth() int64 { return in.deps.Depth() }

// admit takes n events from the rate limit: nil, or a RateLimited fault that says when to try again.
func (in *Intake) admit(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	wait, ok, err := in.deps.Limiter.Take(ctx, int64(n))
	if err != nil {
		return fmt.Errorf("ask the event rate limit: %w", err)
	}
	if ok {
		return nil
	}
	in.deps.Metrics.rateLimited.Inc()
	return fault.New(fault.RateLimited, "more events arrive than ingest_max_rate allows").WithRetryAfter(wait)
}

// NewBatch gives an empty batch for events of one listener. Submit or Discard gives it back.
func (in *Intake) NewBatch(source event.Source) *Batch {
	b := in.pool.Get().(*Batch)
	b.source, b.now = source, in.deps.Now().UnixMicro()
	return b
}

// Submit stores the events of b and waits until they are durable. An error means that none was accepted; it is a
// context's, or a *fault.Error that has a RetryAfter when the same events may be accepted later. The batch goes back
// to the pool, whatever comes of it. Events that were refused one by one are in Outcome.Failed.
func (in *Intake) Submit(ctx context.Context, b *Batch) (Outcome, error) {
	defer b.Discard()
	if !in.enter() {
		return Outcome{}, fault.New(fault.Closed, "this process is stopping").WithRetryAfter(retryAfter)
	}
	defer in.active.Done()
	if !b.admitted {
		if err := in.admit(ctx, b.Len()); err != nil {
			return Outcome{}, err
		}
	}
	return in.store(ctx, b)
}

// store appends what fits and sorts out who was refused.
func (in *Intake) store(ctx context.Context, b *Batch) (Outcome, error) {
	items := b.build()
	var err error
	if len(items) > 0 {
		err = in.deps.Writer.Append(ctx, items)
	}
	out := Outcome{Accepted: len(items), Failed: b.failed}
	var partial *queue.PartialError
	switch {
	case errors.As(err, &partial):
		out.merge(b, partial)
	case err != nil:
		in.deps.Metrics.count(b.source, resultFailed, len(items))
		return Outcome{}, withRetry(err)
	}
	in.deps.Metrics.observe(b, &out)
	return out, nil
}

// retryAfter is what a sender is told when the queue does not say how long its trouble lasts.
const retryAfter = time.Second

// withRetry gives a failure that passes a time to try again.
func withRetry(err error) error {
	f, ok := fault.As(err)
	if !ok || f.RetryAfter > 0 || f.Code != fault.QueueFull && f.Code != fault.QueueUnavailable && f.Code != fault.Closed {
		return err
	}
	again := *f
	return again.WithRetryAfter(retryAfter)
}

// merge takes the refused items out of the accepted ones.
func (o *Outcome) merge(b *Batch, partial *queue.PartialError) {
	for i, err := range partial.Failed {
		if fault.Is(err, fault.DuplicateKey) {
			o.Repeated++
			continue
		}
		o.Accepted--
		if o.Failed == nil {
			o.Failed = make(map[int]error, len(partial.Failed))
		}
		o.Failed[b.position(i)] = withRetry(err)
	}
}

// enter registers a submission, unless the intake is closed.
func (in *Intake) enter() bool {
	in.mu.RLock()
	defer in.mu.RUnlock()
	if in.closed {
		return false
	}
	in.active.Add(1)
	return true
}

// Close refuses new submissions and waits for the running ones, at most until ctx ends.
func (in *Intake) Close(ctx context.Context) error {
	in.mu.Lock()
	in.closed = true
	in.mu.Unlock()
	done := make(chan struct{})
	go func() {
		in.active.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxPooled is the largest buffer that goes back to the pool: one big body must not stay for ever.
const maxPooled = 1 << 20
