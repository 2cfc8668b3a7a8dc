// Package faultq makes a queue driver fail, for tests.
//
// Principles:
//  1. A failure before the inner call means that nothing happened; one after it, that everything did and only the answer was
//     lost. A caller cannot tell the two apart: both are QueueUnavailable.
//  2. The plan decides, call by call; a seeded plan repeats a run.
//  3. Nothing else changes: what gets through is the inner driver's.
package faultq

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Fault is what befalls one call.
type Fault int

// The faults.
const (
	None   Fault = iota
	Before       // the call does not reach the storage
	After        // the call is done, its answer is lost
	Repeat       // a claim also delivers what the last one of its lease delivered; for other calls as None
)

// Op names a method of the driver in a plan.
type Op string

// The operations that a plan may disturb. Depth, Capabilities and Close never fail.
const (
	Append   Op = "append"
	Acquire  Op = "acquire"
	Renew    Op = "renew"
	Yield    Op = "yield"
	Claim    Op = "claim"
	Settle   Op = "settle"
	Release  Op = "release"
	Dead     Op = "dead"
	Requeue  Op = "requeue"
	GiveUp   Op = "give up"
	Stored   Op = "stored"
	Discard  Op = "discard"
	Counters Op = "counters"
	Purge    Op = "purge"
	Ping     Op = "ping"
)

// Plan says what befalls the next call of op. It is called by one goroutine at a time.
type Plan func(op Op) (Fault, time.Duration)

// Script gives these faults to the calls of one operation, in order, and none to what follows.
func Script(op Op, faults ...Fault) Plan {
	return func(called Op) (Fault, time.Duration) {
		if called != op || len(faults) == 0 {
			return None, 0
		}
		next := faults[0]
		faults = faults[1:]
		return next, 0
	}
}

// Random fails about one call in n, in all ways.
func Random(seed uint64, n int) Plan {
	r := rand.New(rand.NewPCG(seed, seed))
	return func(Op) (Fault, time.Duration) {
		if r.IntN(n) > 0 {
			return None, 0
		}
		return Fault(1 + r.IntN(3)), time.Duration(r.IntN(1000)) * time.Microsecond
	}
}

// Driver is a driver that fails as planned.
type Driver struct {
	inner queue.Driver
	mu    sync.Mutex
	plan  Plan
	last  map[queue.Lease][]queue.Claimed // what its last claim delivered
	hits  map[Op]int
}

var _ queue.Driver = (*Driver)(nil)

// New wraps a driver.
func New(inner queue.Driver, plan Plan) *Driver {
	return &Driver{inner: inner, plan: plan, last: map[queue.Lease][]queue.Claimed{}, hits: map[Op]int{}}
}

// Hits tells how many calls of an operation were disturbed.
func (d *Driver) Hits(op Op) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hits[op]
}

// next asks the plan and lets its delay pass.
func (d *Driver) next(ctx context.Context, op Op) (Fault, error) {
	d.mu.Lock()
	f, delay := d.plan(op)
	if f != None {
		d.hits[op]++
	}
	d.mu.Unlock()
	if delay <= 0 {
		return f, nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return f, nil
	case <-ctx.Done():
		return None, ctx.Err()
	}
}

// call is one call under the plan.
func (d *Driver) call(ctx context.Context, op Op, inner func(Fault) error) error {
	f, err := d.next(ctx, op)
	if err != nil {
		return err
	}
	if f == Before {
		return lost(op)
	}
	if err := inner(f); err != nil || f != After {
		return err
	}
	return lost(op)
}

func lost(op Op) error { return fault.New(fault.QueueUnavailable, "planned failure of %s", op) }

// answered is call for methods with an answer, which a failure takes away.
func answered[T any](ctx context.Context, d *Driver, op Op, inner func() (T, error)) (T, error) {
	var got, none T
	err := d.call(ctx, op, func(Fault) (err error) {
		got, err = inner()
		return err
	})
	if err != nil {
		return none, err
	}
	return got, nil
}
