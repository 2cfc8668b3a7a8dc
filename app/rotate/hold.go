package rotate

import (
	"context"
	"errors"
	"time"

	"github.com/muttproject/mutt/platform/fault"
)

// holdEvery is how often the hold is renewed; the server lets go of it after three times as long.
const holdEvery = 3 * time.Second

// held runs fn while no other command works on the rotation. One that was killed holds it for some seconds more, which are waited for.
func (r *Rotation) held(ctx context.Context, fn func(context.Context) error) (err error) {
	if err := r.take(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.keep(ctx, cancel)
	}()
	defer func() {
		if cause := context.Cause(ctx); err != nil && errors.Is(cause, errTaken) {
			err = fault.Wrap(fault.Conflict, err, "another command works on this rotation").WithRemedy("let it finish")
		}
		cancel(nil)
		<-ended
		let, stop := context.WithTimeout(context.WithoutCancel(ctx), holdEvery)
		defer stop()
		_, _ = r.o.API.Hold(let, r.o.Subject, r.o.Holder, true) // else it ends by itself
	}()
	return fn(ctx)
}

// take gets the hold. Whoever has it is given the time in which a living command would renew it.
func (r *Rotation) take(ctx context.Context) error {
	first := ""
	var until time.Time
	for {
		h, err := r.o.API.Hold(ctx, r.o.Subject, r.o.Holder, false)
		if err != nil || h.Held {
			return err
		}
		if first == "" {
			first, until = h.Holder, time.Now().Add(time.Duration(h.Seconds*float64(time.Second))+holdEvery)
			r.say("waiting", "%s worked on this rotation a moment ago: this takes up to %.0f s", h.Holder, h.Seconds+holdEvery.Seconds())
		}
		if h.Holder != first || time.Now().After(until) {
			return fault.New(fault.Conflict, "%s works on this rotation", h.Holder).WithRemedy("let it finish, or end that command and run this one again")
		}
		timer := time.NewTimer(askEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// keep renews the hold until ctx ends. A server that does not answer is no reason to stop.
func (r *Rotation) keep(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(holdEvery)
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
