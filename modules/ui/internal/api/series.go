package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// series shows the books over time.
func (a *API) series(c echo.Context) error {
	ctx := c.Request().Context()
	minutes, step := int64(60), int64(1)
	switch c.QueryParam("range") {
	case "", "1h":
	case "24h":
		minutes, step = 24*60, 5
	default:
		return fault.Field(fault.InvalidField, "range", "must be 1h or 24h")
	}
	if err := a.Fold(ctx); err != nil {
		return err
	}
	to := (a.Now().Unix()/60/step + 1) * step
	from := to - minutes
	sums, err := a.Store.Steps(ctx, from, to, step)
	if err != nil {
		return err
	}
	out := apiclient.Series{From: time.Unix(from*60, 0).UTC(), StepSeconds: step * 60, Series: map[string][]int64{}}
	names := seriesNames()
	for _, name := range names {
		out.Series[name] = make([]int64, minutes/step)
	}
	growth := map[queue.Name][]int64{queue.Ingest: make([]int64, minutes/step), queue.Alert: make([]int64, minutes/step)}
	flow := alertFlow()
	for _, s := range sums {
		if name, shown := names[s.Kind]; shown {
			out.Series[name][s.Step] += s.N
		}
		growth[queue.Alert][s.Step] += flow[s.Kind] * s.N
		switch {
		case s.Kind == queue.CountReceived:
			growth[queue.Ingest][s.Step] += s.N
		case strings.HasPrefix(s.Kind, store.FatePrefix):
			growth[queue.Ingest][s.Step] -= s.N
		}
	}
	for name, series := range map[queue.Name]string{queue.Ingest: "ingest_waiting", queue.Alert: "alerts_waiting"} {
		d, err := a.Queues.Depth(ctx, name)
		if err != nil {
			return err
		}
		waiting, depth := make([]int64, minutes/step), d.Live()
		for i := len(waiting) - 1; i >= 0; i-- { // from what waits now, backwards
			waiting[i] = max(0, depth)
			depth -= growth[name][i]
		}
		out.Series[series] = waiting
	}
	return answer(c, http.StatusOK, out)
}

// seriesNames names the series of counts, by the kinds of the books.
func seriesNames() map[string]string {
	out := map[string]string{}
	for _, k := range []string{queue.CountReceived, queue.CountMeta, queue.CountDelivered, queue.CountParked, queue.CountDiscarded, queue.CountRefused, queue.CountRejected} {
		out[k] = k
	}
	for _, f := range event.Fates() {
		out[store.FatePrefix+f.String()] = f.String()
	}
	return out
}
