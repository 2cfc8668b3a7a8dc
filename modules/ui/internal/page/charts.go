package page

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
)

// charts are the two panels of charts: events that come in, and alerts that wait and are delivered. The server draws them as SVG; a
// browser with scripts draws the same data with axes, marks and a range.
type charts struct {
	data                    string // for the script, as JSON
	now, mean               string // events per second
	in, waiting, delivered  plot   // of the last hour
	inDay, outDay           plot   // of the last 24 hours
	hours, days             []string
	sentenceIn, sentenceOut string
	rows                    []chartRow
	stuck                   bool // alerts wait for a destination whose breaker is not closed
}

// plot is a line of values on a field of 100 by 100, below a rounded top.
type plot struct{ line, area, top, half string }

// chartRow is five minutes of the table behind the charts.
type chartRow struct{ time, in, waiting, delivered string }

// stretch is one range of the data for the script: rates per second and counts, from a time on, in steps.
type stretch struct {
	From      int64     `json:"from"`
	Step      int64     `json:"step"`
	In        []float64 `json:"in"`
	Waiting   []float64 `json:"waiting"`
	Delivered []float64 `json:"delivered"`
}

// mark is a moment that the charts show.
type mark struct {
	At   int64  `json:"at"`
	Text string `json:"text"`
	Bad  bool   `json:"bad,omitempty"` // and what follows until now is shaded
	Out  bool   `json:"out,omitempty"` // on the charts of alerts alone
}

// newCharts prepares what the charts draw.
func newCharts(d *overviewData, now time.Time) charts {
	hour, day := stretchOf(&d.hour, now), stretchOf(&d.day, now)
	c := charts{now: perSecond(received(&d.pipeline)), in: plotOf(hour.In), waiting: plotOf(hour.Waiting), delivered: plotOf(hour.Delivered), inDay: plotOf(day.In), outDay: plotOf(day.Delivered),
		hours: ticks(now.Add(-time.Hour), now, 15*time.Minute, "15:04"), days: ticks(now.Add(-24*time.Hour), now, 6*time.Hour, "15:04")}
	if len(c.days) > 0 {
		c.days[0], c.days[len(c.days)-1] = now.UTC().Add(-24*time.Hour).Format("Mon 15:04"), "now"
	}
	if elapsed := now.Sub(d.day.From).Seconds(); elapsed > 0 {
		var sum int64
		for _, n := range d.day.Series["received"] {
			sum += n
		}
		c.mean = perSecond(float64(sum) / elapsed)
	}
	c.sentenceIn = fmt.Sprintf("Events that come in, per second, over the last hour: now %s, at most %s. The mean of 24 hours is %s.", c.now, perSecond(most(hour.In)), c.mean)
	c.sentenceOut = fmt.Sprintf("Alerts over the last hour: %s wait now, at most %s did; %s per second are delivered now, at most %s were.",
		count(waiting(&d.pipeline)), count(int64(most(hour.Waiting))), perSecond(sent(&d.pipeline)), perSecond(most(hour.Delivered)))
	var marks []mark
	for i := range d.pipeline.Destinations {
		if b := &d.pipeline.Destinations[i].Breaker; b.State != "closed" && b.Since != nil {
			c.stuck = true
			marks = append(marks, mark{At: b.Since.Unix(), Text: "breaker open", Bad: true, Out: true})
		}
	}
	for i := range d.changes.Logs {
		l := &d.changes.Logs[i]
		marks = append(marks, mark{At: l.ChangedAt.Unix(), Text: "change " + fmt.Sprint(l.ID)})
	}
	data, err := json.Marshal(map[string]any{"hour": hour, "day": day, "marks": marks, "stuck": c.stuck, "now": now.Unix()})
	if err == nil { // numbers and texts always encode
		c.data = string(data)
	}
	for i := 0; i+5 <= len(hour.In) && len(hour.Waiting) == len(hour.In) && len(hour.Delivered) == len(hour.In); i += 5 {
		c.rows = append(c.rows, chartRow{time.Unix(hour.From+int64(i)*hour.Step, 0).UTC().Format("15:04"), perSecond(mean(hour.In[i : i+5])),
			count(int64(hour.Waiting[i+4])), perSecond(mean(hour.Delivered[i : i+5]))})
	}
	return c
}

// stretchOf turns counts into rates. The last step is not over: its rate is that of the time since it began.
func stretchOf(s *apiclient.Series, now time.Time) stretch {
	out := stretch{From: s.From.Unix(), Step: s.StepSeconds}
	rates := func(name string) []float64 {
		counts := s.Series[name]
		list := make([]float64, len(counts))
		for i, n := range counts {
			length := float64(s.StepSeconds)
			if i == len(counts)-1 {
				length = min(length, max(1, now.Sub(s.From).Seconds()-length*float64(i)))
			}
			list[i] = math.Round(100*float64(n)/length) / 100
		}
		return list
	}
	out.In, out.Delivered = rates("received"), rates("delivered")
	for _, n := range s.Series["alerts_waiting"] {
		out.Waiting = append(out.Waiting, float64(n))
	}
	return out
}

// plotOf draws values below a rounded top.
func plotOf(values []float64) plot {
	if len(values) < 2 {
		return plot{top: "0", half: "0"}
	}
	top := roundedUp(most(values))
	p := plot{top: axisNumber(top), half: axisNumber(top / 2)}
	p.line, p.area = drawn(values, top)
	return p
}

// drawn returns the path of values below a top, on a field of 100 by 100, and that of the area below it.
func drawn(values []float64, top float64) (line, area string) {
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "%c%.4g %.4g", "ML"[min(i, 1)], float64(i)*100/float64(len(values)-1), 100-100*v/max(top, 1e-9))
	}
	return b.String(), b.String() + "L100 100L0 100Z"
}

// roundedUp returns the next of 10, 15, 20, 30, 50 and 100 times a power of ten, at least 10.
func roundedUp(v float64) float64 {
	if v <= 10 {
		return 10
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range [...]float64{1, 1.5, 2, 3, 5} {
		if v <= step*unit {
			return step * unit
		}
	}
	return 10 * unit
}

// axisNumber shortens thousands and millions.
func axisNumber(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1000:
		return fmt.Sprintf("%gk", v/1000)
	}
	return fmt.Sprintf("%g", v)
}

func most(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}

func mean(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// ticks names moments from one to another, in steps.
func ticks(from, to time.Time, step time.Duration, format string) (out []string) {
	for t := from; t.Before(to); t = t.Add(step) {
		out = append(out, t.UTC().Format(format))
	}
	return append(out, to.UTC().Format(format))
}
