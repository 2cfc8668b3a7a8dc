package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/trouble"
)

// class says what an error means for the work in hand.
type class uint8

const (
	classNone class = iota
	classAway       // a storage cannot be reached: wait, and count nothing
	classLost       // the lease or the context ended: leave everything to the next holder
	classOwn        // about the events themselves
)

func classify(ctx context.Context, err error) class {
	switch {
	case err == nil:
		return classNone
	case ctx.Err() != nil:
		return classLost
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return classAway // somebody's inner bound
	}
	switch fault.CodeOf(err) {
	case fault.LeaseLost, fault.LeaseHeld, fault.StaleReceipt:
		return classLost
	case fault.StoreUnavailable, fault.QueueUnavailable, fault.QueueFull, fault.Closed:
		return classAway
	default:
		return classOwn
	}
}

// errLost ends the work on a partition; it is no failure.
var errLost = errors.New("the partition was lost")

// insist calls fn until it neither is away nor lost: the error is nil, errLost, or fn's own.
func (l *lane) insist(ctx context.Context, doing string, fn func() error) error {
	for {
		err := fn()
		switch classify(ctx, err) {
		case classNone:
			l.waits.reset()
			return nil
		case classOwn:
			return fmt.Errorf("%s: %w", doing, err)
		case classLost:
			return fmt.Errorf("%w: %s: %w", errLost, doing, err)
		}
		if err := l.wait(ctx, l.troubles.away, fmt.Errorf("%s: %w", doing, err)); err != nil {
			return err
		}
	}
}

// always is insist for steps that no event can be to blame for: an error of any kind is waited out.
func (l *lane) always(ctx context.Context, doing string, fn func() error) error {
	for {
		err := l.insist(ctx, doing, fn)
		if err == nil || errors.Is(err, errLost) {
			return err
		}
		if err := l.wait(ctx, l.troubles.stuck, err); err != nil {
			return err
		}
	}
}

// wait pauses stage 2 after an error that no event is to blame for. It is seen in the health report meanwhile.
func (l *lane) wait(ctx context.Context, state *trouble.State, cause error) error {
	l.p.Metrics.waits.Inc()
	state.Add(1, zap.Error(cause))
	if err := sleep(ctx, l.waits.next()); err != nil {
		return fmt.Errorf("%w: %w", errLost, err)
	}
	return nil
}

// backoff doubles from 50 ms to 5 s, with up to half of it as jitter.
type backoff struct{ last time.Duration }

func (b *backoff) reset() { b.last = 0 }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, 50*time.Millisecond), 5*time.Second)
	return b.last/2 + rand.N(b.last/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// panicError is a panic while an event was judged.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("judging panicked: %v", e.value) }

// guard turns a panic of fn into an error.
func guard(fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: debug.Stack()}
		}
	}()
	fn()
	return nil
}
