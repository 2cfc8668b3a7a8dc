package app

import (
	"context"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/coord"
)

// destinations returns the destinations as all forwarders see them: the shared breaker, and the last answers that running forwarders
// published with their heartbeats. How many alerts they took is for the books.
func (p *parts) destinations(ctx context.Context) ([]apiclient.Destination, error) {
	breaker, err := coord.ReadBreaker(ctx, p.coord, coord.Destination)
	if err != nil {
		return nil, err
	}
	live, err := p.registered.List(ctx)
	if err != nil {
		return nil, err
	}
	keys := p.handles.forward
	if !keys.BreakerEnabled.Get() {
		breaker = coord.BreakerStatus{State: coord.StateClosed}
	}
	out := apiclient.Destination{Name: coord.Destination, RateLimit: float64(keys.RateLimit.Get()) / keys.RatePeriod.Get().Seconds(),
		Breaker: apiclient.BreakerState{State: string(breaker.State), Failures: breaker.Failures}}
	if !breaker.Since.IsZero() {
		out.Breaker.Since = utc(breaker.Since)
	}
	if breaker.NextProbe > 0 {
		out.Breaker.NextProbe = utc(p.opts.Now().Add(breaker.NextProbe))
	}
	var failed []int // the one status of all failures of each forwarder that has failures
	for _, l := range live {
		d := l.Delivery
		if d == nil {
			continue
		}
		if out.LastSent == nil || d.Sent.After(*out.LastSent) {
			out.LastStatus, out.LastSent = &d.Status, utc(d.Sent)
		}
		if !d.Delivered.IsZero() && (out.LastDelivered == nil || d.Delivered.After(*out.LastDelivered)) {
			out.LastDelivered = utc(d.Delivered)
		}
		if d.Failed {
			failed = append(failed, d.Same)
		}
	}
	if failed = slices.Compact(failed); len(failed) == 1 && failed[0] != 0 {
		out.SameStatus = &failed[0]
	}
	return []apiclient.Destination{out}, nil
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}
