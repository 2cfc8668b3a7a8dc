package api

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// pipeline shows where events are now, and how fast they move.
func (a *API) pipeline(c echo.Context) error {
	ctx := c.Request().Context()
	if err := a.Fold(ctx); err != nil {
		return err
	}
	now := a.Now().UTC()
	rates, err := a.lastMinute(ctx, now)
	if err != nil {
		return err
	}
	rules, err := a.Store.Rules(ctx)
	if err != nil {
		return err
	}
	out := apiclient.Pipeline{At: now, Sources: []apiclient.SourceRate{}, Queues: map[string]apiclient.PipelineQueue{}, Judge: apiclient.JudgeRate{ByFate: map[string]float64{}}}
	for _, s := range event.Sources() {
		if r := rates.of(queue.CountReceived, s.String()); r > 0 || s == event.SourceHTTP || s == event.SourceSyslog {
			out.Sources = append(out.Sources, apiclient.SourceRate{Source: s.String(), Rate: r})
		}
	}
	judged := 0.0
	for _, f := range event.Fates() {
		r := rates.kind(store.FatePrefix + f.String())
		out.Judge.ByFate[f.String()] = round(r)
		judged += r
	}
	out.Judge.Rate = round(judged)
	for i := range rules {
		if rules[i].IsActive {
			out.Judge.Rules++
		}
	}
	for _, name := range queue.Names() {
		q, err := a.queue(ctx, name)
		if err != nil {
			return err
		}
		trend, capacity := rates.kind(queue.CountReceived)-judged, "max_ingest_queue_size"
		if name == queue.Alert {
			trend, capacity = rates.growth(), "alerter_queue_shed_threshold"
		}
		out.Queues[string(name)] = apiclient.PipelineQueue{Ready: q.Ready, Claimed: q.Claimed, Delayed: q.Delayed, OldestSeconds: q.OldestAgeSeconds,
			Trend: round(trend), Capacity: a.wholeKey(capacity)}
	}
	if out.Destinations, err = a.Destinations(ctx); err != nil {
		return err
	}
	for i := range out.Destinations { // one destination has all deliveries
		out.Destinations[i].SentRate = round(rates.kind(queue.CountDelivered))
	}
	return answer(c, http.StatusOK, out)
}

// wholeKey returns the value in force of a dynamic key that is a whole number; 0 when there is no such key.
func (a *API) wholeKey(name string) int64 {
	key, err := a.Dynamic.Registry().Lookup(name)
	if err != nil {
		return 0
	}
	n, _ := a.Dynamic.Current().Of(key).(int64)
	return n
}

// minuteRates are counts of the books per second, over the minute that ends now.
type minuteRates map[[2]string]float64

// lastMinute reads the rates. The books count by the minute: of the minute before, the part that the last 60 seconds hold is taken.
func (a *API) lastMinute(ctx context.Context, now time.Time) (minuteRates, error) {
	minute, rates := now.Unix()/60, minuteRates{}
	before := 1 - float64(now.Second())/60
	for from, share := range map[int64]float64{minute - 1: before, minute: 1} {
		sums, err := a.Store.Sums(ctx, from, from+1)
		if err != nil {
			return nil, err
		}
		for _, s := range sums {
			rates[[2]string{s.Kind, s.Label}] += float64(s.N) * share / 60
		}
	}
	return rates, nil
}

func (r minuteRates) of(kind, label string) float64 { return round(r[[2]string{kind, label}]) }

// kind sums up all labels.
func (r minuteRates) kind(kind string) (sum float64) {
	for k, n := range r {
		if k[0] == kind {
			sum += n
		}
	}
	return sum
}

// growth is how fast the alert queue grows.
func (r minuteRates) growth() (n float64) {
	for kind, sign := range alertFlow() {
		n += float64(sign) * r.kind(kind)
	}
	return n
}

// alertFlow lists what enters the alert queue (1) and what leaves it (-1). Shed alerts enter the dead letters at once, which count them as
// parked.
func alertFlow() map[string]int64 {
	return map[string]int64{store.FatePrefix + event.FateForwarded.String(): 1, store.FatePrefix + event.FateShed.String(): 1, queue.CountMeta: 1, queue.CountUnparked: 1,
		queue.CountDelivered: -1, queue.CountParked: -1}
}
