package api

import (
	"context"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// pipeline shows where events are now, and how fast they move.
func (a *API) pipeline(c echo.Context) error {
	ctx := c.Request().Context()
	now := a.Now().UTC()
	out := apiclient.Pipeline{At: now, Sources: []apiclient.SourceRate{}, Queues: map[string]apiclient.PipelineQueue{},
		Judge: apiclient.JudgeRate{ByFate: map[string]float64{}, Minute: map[string]int64{}}}
	rates, err := a.booked(ctx, &out)
	if err != nil {
		f, ok := fault.As(err)
		if !ok || f.Code != fault.StoreUnavailable { // the queues and the breaker need no store
			return err
		}
		out.Missing = f.Message
	}
	for _, name := range queue.Names() {
		q, err := a.queue(ctx, name)
		if err != nil {
			return err
		}
		shown := apiclient.PipelineQueue{Ready: q.Ready, Claimed: q.Claimed, Delayed: q.Delayed, Dead: q.Dead, OldestSeconds: q.OldestAgeSeconds}
		trend := rates.kind(queue.CountReceived) - rates.judged()
		shown.Capacity = a.wholeKey("max_ingest_queue_size")
		if name == queue.Alert {
			trend = rates.growth()
			shown.Capacity, shown.WarnsAt = a.wholeKey("alerter_queue_shed_threshold"), a.wholeKey("alerter_queue_warn_threshold")
		}
		if shown.Trend = round(trend); shown.Trend > 0 && shown.Capacity > 0 {
			shown.FullSeconds = whole(float64(max(0, shown.Capacity-q.Depth)) / shown.Trend)
		}
		out.Queues[string(name)] = shown
	}
	known, err := a.Destinations(ctx)
	if err != nil {
		return err
	}
	out.Destinations = slices.Clone(known) // of several callers at once, who fill in their own rates
	limit := 0.0
	for i := range out.Destinations { // one destination has all deliveries
		out.Destinations[i].SentRate = round(rates.kind(queue.CountDelivered))
		limit += out.Destinations[i].RateLimit
	}
	alerts := out.Queues[string(queue.Alert)]
	if waiting, spare := alerts.Ready+alerts.Claimed+alerts.Delayed, limit-rates.published(); waiting > 0 && spare > 0 {
		alerts.DrainSeconds = whole(float64(waiting) / spare)
		out.Queues[string(queue.Alert)] = alerts
	}
	return answer(c, http.StatusOK, out)
}

// booked fills in what the store knows: the rates of sources and of judging, and how many rules there are.
func (a *API) booked(ctx context.Context, out *apiclient.Pipeline) (minuteRates, error) {
	if err := a.Fold(ctx); err != nil {
		return nil, err
	}
	rates, err := a.lastMinute(ctx, out.At)
	if err != nil {
		return nil, err
	}
	if out.Judge.Rules, err = a.activeRules(ctx); err != nil {
		return nil, err
	}
	for _, s := range event.Sources() {
		if r := rates.of(queue.CountReceived, s.String()); r > 0 || s == event.SourceHTTP || s == event.SourceSyslog {
			out.Sources = append(out.Sources, apiclient.SourceRate{Source: s.String(), Rate: r})
		}
	}
	for _, f := range event.Fates() {
		r := rates.kind(store.FatePrefix + f.String())
		out.Judge.ByFate[f.String()], out.Judge.Minute[f.String()] = round(r), int64(math.Round(60*r))
	}
	out.Judge.Rate = round(rates.judged())
	return rates, nil
}

// countedRules is how many rules are active in a state of the configuration.
type countedRules struct {
	position store.Position
	active   int
}

// activeRules counts the active rules, once for each state of the configuration.
func (a *API) activeRules(ctx context.Context) (int, error) {
	at, err := a.Store.Position(ctx) // before the rules: what is kept is then at most too old
	if err != nil {
		return 0, err
	}
	if last := a.counted.Load(); last != nil && last.position == at {
		return last.active, nil
	}
	rules, err := a.Store.Rules(ctx)
	if err != nil {
		return 0, err
	}
	now := &countedRules{position: at}
	for i := range rules {
		if rules[i].IsActive {
			now.active++
		}
	}
	a.counted.Store(now)
	return now.active, nil
}

// whole returns a number of seconds without a fraction.
func whole(seconds float64) *float64 {
	seconds = math.Ceil(seconds)
	return &seconds
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

// judged sums up all fates.
func (r minuteRates) judged() (sum float64) {
	for _, f := range event.Fates() {
		sum += r.kind(store.FatePrefix + f.String())
	}
	return sum
}

// published is how fast alerts enter the alert queue.
func (r minuteRates) published() float64 {
	return r.kind(store.FatePrefix+event.FateForwarded.String()) + r.kind(queue.CountMeta) + r.kind(queue.CountUnparked)
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
