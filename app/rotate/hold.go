package rotate

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

// letGo bounds the end of a hold. One that could not be ended ends by itself.
const letGo = 3 * time.Second

// held runs fn while no other command works on the rotation. One that was killed holds it for some seconds more, which are waited for.
func (r *Rotation) held(ctx context.Context, fn func(context.Context) error) (err error) {
	lasts, err := r.take(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.keep(ctx, lasts/3, cancel)
	}()
	defer func() {
		if cause := context.Cause(ctx); err != nil && errors.Is(cause, errTaken) {
			err = fault.Wrap(fault.Conflict, err, "another command works on this rotation").WithRemedy("let it finish")
		}
		cancel(nil)
		<-ended
		let, stop := context.WithTimeout(context.WithoutCancel(ctx), letGo)
		defer stop()
		_, _ = r.o.API.Hold(let, r.o.Subject, r.o.Holder, true)
	}()
	return fn(ctx)
}

// take gets the hold, and how long it lasts. Whoever has it is dead when it runs out, and alive when it is renewed meanwhile.
func (r *Rotation) take(ctx context.Context) (lasts time.Duration, err error) {
	var before apiclient.RotationHeld
	for {
		h, err := r.o.API.Hold(ctx, r.o.Subject, r.o.Holder, false)
		if err != nil || h.Held {
			return time.Duration(h.Seconds * float64(time.Second)), err
		}
		if before.Holder == "" {
			r.say("waiting", "%s worked on this rotation a moment ago: this takes up to %.0f s", h.Holder, math.Ceil(h.Seconds))
		} else if h.Holder != before.Holder || h.Seconds > before.Seconds {
			return 0, fault.New(fault.Conflict, "%s works on this rotation", h.Holder).WithRemedy("let it finish, or end that command and run this one again")
		}
		before = h
		if !pause(ctx) {
			return 0, ctx.Err()
		}
	}
}

// keep renews the hold every so often until ctx ends. A server that does not answer is no reason to stop.
func (r *Rotation) keep(ctx context.Context, every time.Duration, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(max(every, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if h, err := r.o.API.Hold(ctx, r.o.Subject, r.o.Holder, false); err == nil && !h.Held {
			cancel(errTaken)
			return
		}
	}
}
