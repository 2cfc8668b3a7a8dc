package page

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
)

// barsView is the histogram of the list: counts by time and fate.
type barsView struct {
	sentence   string
	from       int64 // Unix milliseconds of the first step
	stepMillis int64
	steps      int
	end        int64 // Unix milliseconds of the list's end
	blocks     []block
	unseen     float64 // width of what was not looked at, from the left
	note       string  // what was not looked at, in words
	ticks      []string
	legend     []legendItem
	rows       [][]string // of the table: time, then a count for each of the legend; steps without events are left out
}

// block is a piece of the histogram.
type block struct {
	tone       string
	x, y, h, w string
}

type legendItem struct{ fate, count, href string }

const (
	barWidth  = 10 // of a step, with a gap to the next
	barHeight = 100
)

// stacked is the order of fates in the histogram, from the top: what a person looks for first, and no two alike colours beside each other.
func stacked() []event.Fate {
	return []event.Fate{event.FatePoison, event.FateShed, event.FateForwarded, event.FateUnhandled, event.FateSilenced, event.FateRecorded, event.FateIgnored}
}

// barsOf draws a histogram.
func barsOf(h *apiclient.Histogram, p period, s listState, conds []condition) *barsView {
	step := time.Duration(h.StepSeconds) * time.Second
	v := &barsView{from: h.From.UnixMilli(), stepMillis: step.Milliseconds(), end: p.end.UnixMilli()}
	var fates []string
	for _, f := range stacked() {
		if counts := h.Fates[f.String()]; counts != nil {
			fates, v.steps = append(fates, f.String()), len(counts)
		}
	}
	if v.steps == 0 {
		return nil
	}
	most := int64(1)
	sums := make([]int64, v.steps)
	for i := range sums {
		for _, f := range fates {
			sums[i] += h.Fates[f][i]
		}
		most = max(most, sums[i])
	}
	for i, sum := range sums {
		if sum == 0 {
			continue
		}
		cells, y := []string{stamp(h.From.Add(time.Duration(i)*step), p)}, float64(barHeight)
		for _, f := range fates {
			cells = append(cells, count(h.Fates[f][i]))
		}
		for _, f := range slices.Backward(fates) {
			n := h.Fates[f][i]
			if n == 0 {
				continue
			}
			height := max(2, float64(n)/float64(most)*(barHeight-2))
			y -= height
			v.blocks = append(v.blocks, block{mixTone(f), number(i * barWidth), fmt.Sprintf("%.1f", max(0, y)), fmt.Sprintf("%.1f", height), number(barWidth - 2)})
		}
		v.rows = append(v.rows, cells)
	}
	for _, f := range fates {
		var all int64
		for _, n := range h.Fates[f] {
			all += n
		}
		item := legendItem{fate: f, count: count(all)}
		if !slices.ContainsFunc(conds, func(c condition) bool { return c.key == "fate" }) {
			only := s.first()
			only.q = writeQuery(with(conds, []condition{{"fate", f}}))
			item.href = only.href()
		}
		v.legend = append(v.legend, item)
	}
	const parts = 4
	whole := p.end.Sub(h.From)
	for i := range parts + 1 {
		at := h.From.Add(whole * time.Duration(i) / parts)
		if whole >= time.Hour && i < parts { // the last one is exact
			at = at.Round(time.Minute)
		}
		v.ticks = append(v.ticks, stamp(at, p))
	}
	peak := slices.Index(sums, slices.Max(sums))
	v.sentence = fmt.Sprintf("%s from %s to %s; most, %s, in %s from %s", counted(h.Events, "event", "events"), v.ticks[0], v.ticks[parts], count(sums[peak]),
		rangeOfStep(step), stamp(h.From.Add(time.Duration(peak)*step), p))
	if h.Partial {
		v.unseen = float64(h.LookedFrom.Sub(h.From)) / float64(step) * barWidth
		v.note = "Counted back to " + stamp(h.LookedFrom, p) + ", the newest events only"
	}
	return v
}

// rangeOfStep names the length of a step.
func rangeOfStep(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "the " + strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return "the " + strconv.Itoa(int(d/time.Minute)) + " min"
	}
	return "the " + strconv.Itoa(int(d/time.Hour)) + " h"
}

// stamp renders a time of the axis as exactly as the length of the axis needs.
func stamp(t time.Time, p period) string {
	switch t = t.UTC(); {
	case p.span() > 48*time.Hour:
		return t.Format("2 Jan 15:04")
	case t.Second() != 0:
		return t.Format("15:04:05")
	}
	return t.Format("15:04")
}
