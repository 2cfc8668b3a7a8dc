package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// line is the pipeline: what is before the destinations, and a row of three stops for each destination.
type line struct {
	stops []stop
	rows  [][]stop
	more  string // "6 more work"; "" where all are shown
}

// stop is one sign of the line with its figure.
type stop struct {
	name, figure, unit, tone string
	sign                     string // sources, stop, tank, switch, end
	fill                     int    // of a tank, in percent
	open                     bool   // of a switch
	idle                     bool   // nothing flows on from here
	facts                    []fact
}

// fact is one figure below a stop.
type fact struct{ name, value, tone string }

// mostRows is how many destinations have a row.
const mostRows = 4

// lineOf builds the line from what the API has. Figures that it does not have are absent.
func lineOf(d *overviewData, booked bool, now time.Time) line {
	p := &d.pipeline
	ingest, alerts := p.Queues[string(queue.Ingest)], p.Queues[string(queue.Alert)]
	known := p.Missing == ""
	flow := func(perS float64) string {
		if !known {
			return "–"
		}
		return perSecond(perS)
	}
	var sources, taken, judge []fact
	for _, s := range p.Sources {
		sources = append(sources, fact{sourceName(s.Source), perSecond(s.Rate), ""})
	}
	if w := d.ledger.Window; booked && w != nil {
		taken = append(taken, fact{"refused, 24 h", count(w.Beside.Refused), ""}, fact{"wrong, 24 h", count(w.Beside.Rejected), ""})
	}
	for i := range d.slos.SLOs {
		if s := &d.slos.SLOs[i]; s.Name == "judging_latency" && s.ActualValue != nil {
			judge = append(judge, fact{fmt.Sprintf("p%g to verdict", 100*s.Quantile), seconds(*s.ActualValue), ""})
		}
	}
	if known {
		judge = append(judge, fact{"rules", count(int64(p.Judge.Rules)), ""})
	}
	if w := d.ledger.Window; booked && w != nil {
		meta := w.Delivery.Forwardable - w.Judging.ByFate[event.FateForwarded.String()] - w.Judging.ByFate[event.FateShed.String()]
		judge = append(judge, fact{"meta-alerts, 24 h", count(max(0, meta)), ""})
	}
	destinations := worstFirst(p.Destinations)
	stuck := len(destinations) > 0 && destinations[0].Breaker.State != "closed" && depth(alerts) > 0
	out := line{stops: []stop{
		{name: "Sources", sign: "sources", figure: flow(received(p)), unit: "/s", facts: sources},
		{name: "Ingest", sign: "stop", figure: flow(received(p)), unit: "/s taken", facts: taken},
		tank("Ingest queue", &ingest, known, false),
		{name: "Alert", sign: "stop", figure: flow(p.Judge.Rate), unit: "/s judged", facts: judge},
		tank("Alert queue", &alerts, known, stuck),
	}}
	out.stops[4].idle = stuck
	forwarders := 0
	for _, pr := range d.processes.Processes {
		if slices.Contains(pr.Roles, "forwarder") {
			forwarders++
		}
	}
	for i := range destinations {
		if i == mostRows {
			out.more = counted(int64(len(destinations)-mostRows), "more destination works", "more destinations work")
			break
		}
		out.rows = append(out.rows, rowTo(&destinations[i], &alerts, flow, forwarders, now))
	}
	return out
}

// rowTo is the part of the line that one destination has for itself.
func rowTo(to *apiclient.Destination, alerts *apiclient.PipelineQueue, flow func(float64) string, forwarders int, now time.Time) []stop {
	closed := to.Breaker.State == "closed"
	forward := stop{name: "Forward", sign: "stop", figure: flow(to.SentRate), unit: "/s sent", idle: !closed, facts: []fact{
		{"limit", perSecond(to.RateLimit) + " /s", ""}, {"for a retry", count(alerts.Delayed), ""}}}
	if forwarders > 0 {
		forward.facts = append(forward.facts, fact{"forwarders", count(int64(forwarders)), ""})
	}
	breaker := stop{name: "Breaker", sign: "switch", figure: "Closed", open: !closed, idle: !closed, facts: []fact{{"failures", count(to.Breaker.Failures) + " in a row", ""}}}
	switch to.Breaker.State {
	case "open":
		breaker.figure = "Open"
	case "half_open":
		breaker.figure = "Probing"
	}
	if !closed {
		breaker.tone, breaker.facts[0].tone = "bad", "bad"
		if to.Breaker.Since != nil {
			breaker.unit = clockSpan(now.Sub(*to.Breaker.Since))
		}
		if to.Breaker.NextProbe != nil {
			breaker.facts = append(breaker.facts, fact{"next probe", clockSpan(to.Breaker.NextProbe.Sub(now)), ""})
		}
	}
	end := stop{name: visible(to.Name), sign: "end", figure: "–", unit: "no answer yet"}
	if s := to.LastStatus; s != nil {
		end.figure, end.unit = fmt.Sprint(*s), "last answer"
		if *s == 0 {
			end.figure, end.unit = "none", "no answer to the last request"
		}
		if *s < 200 || *s > 299 {
			end.tone = "bad"
		}
	}
	if to.LastDelivered != nil {
		end.facts = append(end.facts, fact{"delivered", moment(*to.LastDelivered, now), ""})
	}
	end.facts = append(end.facts, fact{"parked", count(alerts.Dead), ""})
	if alerts.Dead > 0 {
		end.facts[len(end.facts)-1].tone = "bad"
	}
	return []stop{forward, breaker, end}
}

// tank is a queue of the line. stuck says that what waits cannot leave.
func tank(name string, q *apiclient.PipelineQueue, known, stuck bool) stop {
	n := depth(*q)
	s := stop{name: name, sign: "tank", figure: count(n), unit: "waiting"}
	oldest := "none"
	if n > 0 {
		oldest = seconds(q.OldestSeconds)
		s.fill = 4
		if full := cmp.Or(q.WarnsAt, q.Capacity); full > 0 {
			s.fill = int(min(100, max(4, 100*n/full)))
		}
	}
	s.facts = []fact{{"oldest", oldest, ""}}
	if known {
		s.facts = append(s.facts, fact{"trend", trend(q.Trend), ""})
	}
	switch {
	case q.WarnsAt > 0:
		s.facts = append(s.facts, fact{"warns at", count(q.WarnsAt), ""})
	case q.Capacity > 0:
		s.facts = append(s.facts, fact{"room left", count(max(0, q.Capacity-n)), ""})
	}
	if q.WarnsAt == 0 && q.Dead > 0 {
		s.facts = append(s.facts, fact{"dead letters", count(q.Dead), "bad"})
	}
	if stuck || q.WarnsAt > 0 && n > q.WarnsAt {
		s.tone, s.facts[0].tone = "bad", "bad"
		s.fill = max(33, s.fill)
	}
	return s
}

func trend(perS float64) string {
	switch {
	case math.Abs(perS) < 0.05:
		return "steady"
	case perS > 0:
		return "+" + perSecond(perS) + " /s"
	}
	return "−" + perSecond(-perS) + " /s"
}

// worstFirst orders destinations: those whose breaker is not closed first, then those whose last answer was not a success.
func worstFirst(all []apiclient.Destination) []apiclient.Destination {
	rank := func(d *apiclient.Destination) int {
		switch {
		case d.Breaker.State != "closed":
			return 0
		case d.LastStatus != nil && (*d.LastStatus < 200 || *d.LastStatus > 299):
			return 1
		}
		return 2
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b apiclient.Destination) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func sourceName(s string) string {
	if s == event.SourceHTTP.String() {
		return "HTTP"
	}
	return strings.ReplaceAll(s, "_", " ")
}

func received(p *apiclient.Pipeline) (sum float64) {
	for _, s := range p.Sources {
		sum += s.Rate
	}
	return sum
}

func sent(p *apiclient.Pipeline) (sum float64) {
	for i := range p.Destinations {
		sum += p.Destinations[i].SentRate
	}
	return sum
}

func perSecond(r float64) string { return rate(60 * r) }

// clockSpan renders a length of time as a clock does: 8:07, 1:02:03.
func clockSpan(d time.Duration) string {
	s := int64(max(0, d).Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
