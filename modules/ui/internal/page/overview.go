package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// overviewView is what Overview shows. Each part is absent when its read failed, and the problem stands in its place.
type overviewView struct {
	verdict verdict
	first   string // command for a first event, where none has come yet
	stops   []stop
	shares  []share
	chart   *chart
	books   []book
	even    bool
	slos    []objective
	changes []change
	runs    Status // this process
	since   string

	queuesFailed, ratesFailed, booksFailed, slosFailed, changesFailed *problem
}

// verdict is the answer of the page in a sentence, and what else a person should look at.
type verdict struct {
	tone, icon, title, text string
	notes                   []finding
}

type finding struct{ tone, text string }

// stop is one stop or tank of the line.
type stop struct {
	name, figure, unit, tone string
	tank                     bool
	fill                     int // of a tank, in percent
	facts                    []fact
}

// fact is one figure below a stop.
type fact struct{ name, value, tone string }

// share is a part of what was judged.
type share struct {
	fate  string
	count int64
	x, w  float64 // of the bar, in percent
}

type book struct {
	name string
	rows []bookRow
}

type bookRow struct {
	name, value, class string
	even               bool // the difference is 0: the double rule is drawn
}

type objective struct {
	title, value, want, burn, left, status, tone string
	meter                                        float64 // in percent
}

type change struct{ when, exact, by, what string }

func (p *Pages) overview(c echo.Context) error {
	var v overviewView
	var queues apiclient.Queues
	var metrics apiclient.Metrics
	var ledger apiclient.Ledger
	var slos apiclient.SLOs
	var changes apiclient.Changes
	v.queuesFailed = problemOf(c, p.read(c, "/queues", nil, &queues))
	v.ratesFailed = problemOf(c, p.read(c, "/metrics", nil, &metrics))
	v.booksFailed = problemOf(c, p.read(c, "/ledger", nil, &ledger))
	v.slosFailed = problemOf(c, p.read(c, "/slo", nil, &slos))
	v.changesFailed = problemOf(c, p.read(c, "/audit", url.Values{"limit": {"4"}}, &changes))
	if v.booksFailed == nil {
		v.books, v.even = books(&ledger)
		v.shares = shares(ledger.Judging.ByFate)
		if ledger.Judging.Received == 0 {
			v.first = example(p.Status(), c.Request().Host)
		}
	}
	if v.ratesFailed == nil {
		v.chart = newChart(metrics.Chart24h.Labels, metrics.Chart24h.Data)
	}
	if v.queuesFailed == nil {
		v.stops = line(queues.Queues, &metrics, &ledger)
	}
	for i := range slos.SLOs {
		v.slos = append(v.slos, objectiveOf(&slos.SLOs[i]))
	}
	now := p.Now()
	for i := range changes.Logs {
		l := &changes.Logs[i]
		v.changes = append(v.changes, change{moment(l.ChangedAt, now), exact(l.ChangedAt), visible(l.ChangedBy), changed(l)})
	}
	v.runs = p.Status()
	v.since = moment(v.runs.Since, now)
	v.verdict = verdictOf(p.Health(c.Request().Context()), &v, queues.Queues, &metrics)
	return p.show(c, http.StatusOK, overviewPage(p.frame(c, "overview", "Overview"), &v))
}

// verdictOf puts the worst finding first. Everything works only when health and the books say so.
func verdictOf(h Health, v *overviewView, queues []apiclient.Queue, m *apiclient.Metrics) verdict {
	var all []finding
	for _, text := range h.Errors {
		all = append(all, finding{"bad", visible(text)})
	}
	if v.booksFailed == nil && !v.even {
		all = append(all, finding{"bad", "The books do not balance: an event is counted on one side only. See Books below."})
	}
	for _, text := range h.Warnings {
		all = append(all, finding{"warn", visible(text)})
	}
	if len(all) > 0 {
		first := all[0]
		title := map[string]string{"bad": "Something has failed", "warn": "Works, with " + counted(int64(len(all)), "warning", "warnings")}[first.tone]
		return verdict{tone: first.tone, icon: "warn", title: title, text: first.text, notes: all[1:]}
	}
	if v.queuesFailed != nil || v.booksFailed != nil || v.ratesFailed != nil {
		return verdict{tone: "bad", icon: "warn", title: "A part of this page cannot be read", text: "The panels below say which, and what to do."}
	}
	text := rate(m.Summary.CurrentRate1m) + " events per second come in"
	var oldest float64
	for i := range queues {
		oldest = max(oldest, queues[i].OldestAgeSeconds)
	}
	if oldest > 0 {
		text += ", and nothing waits longer than " + seconds(oldest) + "."
	} else {
		text += ", and nothing waits."
	}
	return verdict{tone: "ok", icon: "check", title: "Everything works", text: text}
}

// line makes the stops of the pipeline from what the API has.
func line(queues []apiclient.Queue, m *apiclient.Metrics, l *apiclient.Ledger) []stop {
	tank := func(name, title, unit string) stop {
		s := stop{name: title, tank: true, unit: unit, figure: "–"}
		i := slices.IndexFunc(queues, func(q apiclient.Queue) bool { return q.Name == name })
		if i < 0 {
			return s
		}
		q := &queues[i]
		s.figure = count(q.Depth)
		if q.Depth > 0 {
			s.fill = 8
		}
		oldest := "none"
		if q.Depth > 0 {
			oldest = seconds(q.OldestAgeSeconds)
		}
		s.facts = []fact{{"oldest", oldest, ""}, {"in work", count(q.Claimed), ""}, {"for a retry", count(q.Delayed), ""}, {"dead letters", count(q.Dead), ""}}
		if q.Dead > 0 {
			s.facts[3].tone = "bad"
		}
		return s
	}
	return []stop{
		{name: "Sources", figure: rate(m.Summary.CurrentRate1m), unit: "/s", facts: []fact{
			{"15 min", rate(m.Summary.AvgRate15m) + " /s", ""}, {"1 h", rate(m.Summary.AvgRate1h) + " /s", ""},
			{"refused", count(l.Beside.Refused), ""}, {"rejected", count(l.Beside.Rejected), ""}}},
		tank(string(queue.Ingest), "Ingest queue", "waiting"),
		{name: "Alert", figure: count(l.Judging.Judged), unit: "judged", facts: []fact{
			{"forwarded", count(l.Judging.ByFate[event.FateForwarded.String()]), ""}, {"unhandled", count(l.Judging.ByFate[event.FateUnhandled.String()]), ""}}},
		tank(string(queue.Alert), "Alert queue", "waiting"),
		{name: "Forward", figure: count(l.Delivery.Delivered), unit: "delivered", facts: []fact{
			{"to deliver", count(l.Delivery.Forwardable), ""}, {"discarded", count(l.Delivery.Discarded), ""}, {"parked", count(l.Delivery.Parked), ""}}},
	}
}

// shares lays the judged events out in the order that keeps colours apart.
func shares(byFate map[string]int64) (out []share) {
	var total int64
	for _, n := range byFate {
		total += n
	}
	if total == 0 {
		return nil
	}
	at := 0.0
	for _, f := range []event.Fate{event.FateForwarded, event.FateUnhandled, event.FateSilenced, event.FateRecorded, event.FateIgnored, event.FateShed, event.FatePoison} {
		n := byFate[f.String()]
		if n == 0 {
			continue
		}
		w := float64(n) * 100 / float64(total)
		out = append(out, share{fate: f.String(), count: n, x: at, w: max(0.3, w-0.3)})
		at += w
	}
	return out
}

// books turns the ledger into the two statements.
func books(l *apiclient.Ledger) (out []book, even bool) {
	j, d := &l.Judging, &l.Delivery
	difference := func(n int64, balanced bool) bookRow {
		row := bookRow{name: "difference", value: count(n), class: "dim", even: n == 0}
		if !balanced {
			row.class = "bad"
		}
		return row
	}
	return []book{
		{"Judging", []bookRow{{name: "received", value: count(j.Received)}, {name: "to account for", value: count(j.Received), class: "sum"},
			{name: "judged", value: count(j.Judged)}, {name: "of these forwarded", value: count(j.ByFate[event.FateForwarded.String()]), class: "sub"},
			{name: "in flight", value: count(j.InFlight)}, difference(j.Difference, j.Balanced)}},
		{"Delivery", []bookRow{{name: "forwarded, shed, meta", value: count(d.Forwardable)}, {name: "to account for", value: count(d.Forwardable), class: "sum"},
			{name: "delivered", value: count(d.Delivered)}, {name: "waiting", value: count(d.InFlight)},
			{name: "parked, discarded", value: count(d.Parked + d.Discarded)}, difference(d.Difference, d.Balanced)}},
	}, j.Balanced && d.Balanced
}

// objectiveOf renders one objective.
func objectiveOf(s *apiclient.SLO) objective {
	title := map[string]string{"ingest_availability": "Intake takes events", "judging_success": "Events are judged", "judging_latency": "Judged in time",
		"delivery_success": "Alerts are delivered", "delivery_latency": "Delivered in time"}[s.Name]
	if title == "" {
		title = s.Name
	}
	status := string(s.Status)
	o := objective{title: title, value: "–", status: strings.ReplaceAll(status, "_", " ")}
	o.tone = map[string]string{"ok": "ok", "no_data": "none", "warning": "warn", "breaching": "warn", "critical": "bad"}[status]
	switch {
	case s.TargetSeconds != nil:
		o.want = fmt.Sprintf("≤ %s p%g", seconds(*s.TargetSeconds), s.Quantile*100)
	case s.Target != nil:
		o.want = "≥ " + percent(*s.Target)
	}
	if s.ActualValue != nil && s.TargetSeconds != nil {
		o.value = seconds(*s.ActualValue)
	} else if s.ActualValue != nil {
		o.value = percent(*s.ActualValue)
	}
	if s.BurnRate != nil {
		o.burn = fmt.Sprintf("%.1f", *s.BurnRate)
	}
	if s.Remaining != nil {
		o.meter = 100 * min(1, max(0, *s.Remaining))
		o.left = fmt.Sprintf("%.0f %% left", 100*max(0, *s.Remaining))
	}
	return o
}

// changed says what a change did, in words.
func changed(l *apiclient.Change) string {
	verb := map[string]string{"CREATE": "added", "UPDATE": "changed", "DELETE": "removed"}[l.Operation]
	what := map[string]string{"alert_rules": "rule", "dynamic_config": "setting", "development_hosts": "development host", "dev_hosts": "development host",
		"device_teams": "team of", "teams": "team of", "api_keys": "API key"}[l.TableName]
	if what == "" {
		what = strings.ReplaceAll(l.TableName, "_", " ")
	}
	name := l.RecordID
	for _, value := range []json.RawMessage{l.NewValue, l.OldValue} {
		var named struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(value, &named) == nil && named.Name != "" {
			name = named.Name
			break
		}
	}
	return visible(strings.Join(strings.Fields(verb+" "+what), " ") + " " + name)
}

// chart is a line of values on a field of 100 by 100.
type chart struct {
	Line, Area, Sentence string
	First, Last, Top     string
}

// newChart draws a rate per minute, by hour.
func newChart(labels []string, perMinute []float64) *chart {
	if len(perMinute) < 2 || len(labels) != len(perMinute) {
		return nil
	}
	top := slices.Max(perMinute)
	out := &chart{First: labels[0], Last: labels[len(labels)-1], Top: rate(top) + " /s"}
	out.Line, out.Area = drawn(perMinute)
	out.Sentence = fmt.Sprintf("Events per second by hour, from %s to %s UTC: now %s, at most %s.", out.First, out.Last, rate(perMinute[len(perMinute)-1]), rate(top))
	return out
}

// drawn returns the path of values and of the area below it.
func drawn(values []float64) (line, area string) {
	top := max(slices.Max(values), 1e-9)
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "%c%.2f %.2f", "ML"[min(i, 1)], float64(i)*100/float64(len(values)-1), 98-94*v/top)
	}
	return b.String(), b.String() + "L100 100L0 100Z"
}
