// Package objectives measures the service level objectives of package slo and answers how they stand.
//
// Principles:
//  1. Where the numbers come from is one interface with two implementations: MUTT's own counters, and Prometheus.
//     Both measure the same events, and share everything after the measuring.
//  2. An objective that cannot be measured has no data: that is never bad news about the service.
//  3. Targets, windows and burn rates are dynamic keys, read at each report.
package objectives

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/slo"
)

// burnWindow is the latest part of the window, over which the burn rate is measured: long enough for a quiet hour's
// events to mean something, short enough to tell of trouble while it lasts (The Site Reliability Workbook, chapter 5).
const burnWindow = time.Hour

// question asks for the events of an objective in the time before now.
type question struct {
	measure measure
	window  time.Duration
}

// reading answers a question. Problem says why it cannot be answered, in a sentence.
type reading struct {
	events    slo.Events
	latencies slo.Histogram // instead of events, for a latency
	problem   string
}

// source takes measurements.
type source interface {
	name() string
	// read answers all questions, in their order. Its error is for the caller of the API; a problem of the source's own
	// belongs into the readings.
	read(ctx context.Context, questions []question) ([]reading, error)
}

// Report makes reports.
type Report struct {
	dynamic Dynamic
	source  source
}

// Now tells how every objective stands.
func (r *Report) Now(ctx context.Context) (apiclient.SLOs, error) {
	all := measures()
	var questions []question
	for _, m := range all {
		window := r.window(m.objective)
		questions = append(questions, question{m, window}, question{m, min(window, burnWindow)})
	}
	readings, err := r.source.read(ctx, questions)
	if err != nil {
		return apiclient.SLOs{}, err
	}
	out := apiclient.SLOs{Source: r.source.name(), SLOs: make([]apiclient.SLO, len(all))}
	for i, m := range all {
		out.SLOs[i] = r.judge(m.objective, readings[2*i], readings[2*i+1])
	}
	return out, nil
}

func (r *Report) window(o slo.Objective) time.Duration {
	return time.Duration(r.dynamic[o.Name].windowHours.Get()) * time.Hour
}

// judge compares what was measured with the targets.
func (r *Report) judge(o slo.Objective, window, recent reading) apiclient.SLO {
	keys := r.dynamic[o.Name]
	target := keys.target.Get()
	out := apiclient.SLO{Name: o.Name, Description: o.Description, WindowHours: keys.windowHours.Get(), Status: slo.NoData}
	if o.Latency() {
		out.TargetSeconds, out.Quantile = &target, o.Quantile
		window.events, recent.events = window.latencies.Within(target), recent.latencies.Within(target)
	} else {
		out.Target = &target
	}
	out.Events, out.BadEvents = round(window.events.Total()), round(window.events.Bad)
	for _, problem := range []string{window.problem, recent.problem} {
		if problem != "" {
			out.Message = "no data: " + problem
			return out
		}
	}
	if window.events.Total() <= 0 {
		out.Message = fmt.Sprintf("no data: nothing happened in the last %d h", out.WindowHours)
		return out
	}
	b := slo.NewBudget(o.Share(target), window.events, recent.events)
	actual := b.Share
	if o.Latency() {
		actual = window.latencies.At(o.Quantile)
	}
	out.ActualValue, out.Remaining, out.BurnRate = rounded(actual), rounded(b.Remaining), rounded(b.BurnRate)
	out.Status = b.Status(keys.warning.Get(), keys.critical.Get())
	out.Message = message(o, target, b, window.events, out.WindowHours)
	return out
}

// message says in words how an objective stands.
func message(o slo.Objective, target float64, b slo.Budget, window slo.Events, hours int64) string {
	did, wanted := percent(b.Share)+" good", percent(target)
	if o.Latency() {
		did, wanted = fmt.Sprintf("%s within %s s", percent(b.Share), number(target)), percent(o.Quantile)
	}
	left := percent(max(b.Remaining, 0)) + " of the error budget is left"
	if b.Remaining < 0 {
		left = "the error budget is overspent"
	}
	return fmt.Sprintf("%s of %.0f in the last %d h, %s wanted: %s, burning at %s", did, window.Total(), hours, wanted, left, number(b.BurnRate))
}

// percent writes a share so that what is not all does not look like all.
func percent(share float64) string {
	p := math.Floor(share*1e5+1e-6) / 1e3
	return strconv.FormatFloat(p, 'f', -1, 64) + " %"
}

func number(f float64) string { return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64) }

func round(f float64) float64 { return math.Round(f*1e6) / 1e6 }

func rounded(f float64) *float64 {
	f = round(f)
	return &f
}
