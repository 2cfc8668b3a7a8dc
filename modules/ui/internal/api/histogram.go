package api

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/fault"
)

const (
	histogramSteps = 96
	histogramSpan  = time.Hour // without a start
	histogramMost  = 31 * 24 * time.Hour
)

// histogram counts the judged events that a filter fits, by time and fate.
func (a *API) histogram(c echo.Context) error {
	f, err := auditFilterOf(c)
	if err != nil {
		return err
	}
	now := a.Now().UTC()
	end := f.End
	if end.IsZero() {
		end = now.Truncate(time.Millisecond).Add(time.Millisecond)
	}
	if f.Start.IsZero() {
		f.Start = end.Add(-histogramSpan)
	}
	span := end.Sub(f.Start)
	if span <= 0 {
		return fault.Field(fault.InvalidField, "start_date", "must be before end_date, or before now when there is no end_date")
	}
	if span > histogramMost {
		return fault.Field(fault.InvalidField, "start_date", "must be at most 31 days before end_date")
	}
	f.Start, f.End = f.Start.Truncate(time.Millisecond), end
	step := stepOf(span)
	got, err := a.Store.Histogram(c.Request().Context(), f, step)
	if err != nil {
		return err
	}
	steps := (end.Sub(f.Start) + step - 1) / step
	out := apiclient.Histogram{From: f.Start, StepSeconds: int64(step / time.Second), Fates: map[string][]int64{}, Partial: got.Partial, LookedFrom: got.From.UTC()}
	for _, n := range got.Counts {
		at := min(max(n.Step, 0), int64(steps)-1) // an id has its time in milliseconds, the row in microseconds
		name := n.Fate.String()
		if out.Fates[name] == nil {
			out.Fates[name] = make([]int64, steps)
		}
		out.Fates[name][at] += n.N
		out.Events += n.N
	}
	return answer(c, http.StatusOK, out)
}

// stepOf returns the shortest round step that cuts a span into at most histogramSteps.
func stepOf(span time.Duration) time.Duration {
	steps := []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour}
	for _, s := range steps {
		if (span+s-1)/s <= histogramSteps {
			return s
		}
	}
	return 24 * time.Hour
}
