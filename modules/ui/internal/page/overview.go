package page

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// overviewView is what Overview shows. Each part is absent when its read failed, and the problem stands in its place.
type overviewView struct {
	verdict verdict
	first   string // command for a first event, where none has come yet
	line    line
	shares  []share
	charts  charts
	books   []book
	even    bool
	slos    []objective
	kept    int // how many objectives are ok
	hosts   []ranked
	rules   []ranked
	changes []change
	runs    Status // this process
	since   string
	away    string // "The store is away since 03:01:12." while the store is; "" otherwise

	problemsFailed, lineFailed, chartsFailed, booksFailed, slosFailed, hostsFailed, rulesFailed, changesFailed *problem
}

// ranked is a host or rule with its events of 15 minutes.
type ranked struct {
	name, href string
	events     int64
	share      float64 // of the busiest one, in percent
}

// overviewData is what the API answered, for the parts that look at several answers.
type overviewData struct {
	problems  apiclient.Problems
	pipeline  apiclient.Pipeline
	hour, day apiclient.Series
	ledger    apiclient.Ledger
	slos      apiclient.SLOs
	changes   apiclient.Changes
	processes apiclient.Processes
}

func (p *Pages) overview(c echo.Context) error {
	return p.show(c, http.StatusOK, overviewPage(p.frame(c, "overview", "Overview"), p.lookAround(c)))
}

// liveOverview renders the parts that change slowly as of now.
func (p *Pages) liveOverview(c echo.Context) templ.Component { return overviewSlow(p.lookAround(c)) }

// lookAround reads what the whole page shows.
func (p *Pages) lookAround(c echo.Context) *overviewView {
	var d overviewData
	v := p.look(c, &d)
	var hosts, rules apiclient.Top
	v.hostsFailed = problemOf(c, p.read(c, "/top", url.Values{"by": {apiclient.TopHosts}}, &hosts))
	v.rulesFailed = problemOf(c, p.read(c, "/top", url.Values{"by": {apiclient.TopRules}}, &rules))
	v.hosts, v.rules = busiest(hosts.Items, "host:"), busiest(rules.Items, "")
	now := p.Now()
	v.chartsFailed = problemOf(c, p.read(c, "/series", url.Values{"range": {"1h"}}, &d.hour))
	if v.chartsFailed == nil {
		v.chartsFailed = problemOf(c, p.read(c, "/series", url.Values{"range": {"24h"}}, &d.day))
	}
	v.changesFailed = problemOf(c, p.read(c, "/audit", url.Values{"limit": {"4"}}, &d.changes))
	if v.chartsFailed == nil {
		v.charts = newCharts(&d, now)
	}
	slices.SortStableFunc(d.slos.SLOs, func(a, b apiclient.SLO) int { return cmp.Compare(stage(a.Name), stage(b.Name)) })
	for i := range d.slos.SLOs {
		o := objectiveOf(&d.slos.SLOs[i])
		if v.slos = append(v.slos, o); o.tone == "ok" {
			v.kept++
		}
	}
	for i := range d.changes.Logs {
		v.changes = append(v.changes, changeOf(&d.changes.Logs[i], now))
	}
	return v
}

// look reads what the problems and the line show, the parts that change from second to second.
func (p *Pages) look(c echo.Context, d *overviewData) *overviewView {
	v := &overviewView{}
	v.problemsFailed = problemOf(c, p.read(c, "/problems", nil, &d.problems))
	v.lineFailed = problemOf(c, p.read(c, "/pipeline", nil, &d.pipeline))
	v.booksFailed = problemOf(c, p.read(c, "/ledger", url.Values{"window": {"24h"}}, &d.ledger))
	v.slosFailed = problemOf(c, p.read(c, "/slo", nil, &d.slos))
	_ = p.read(c, "/processes", nil, &d.processes) // only counts of the line, which are then absent
	now := p.Now()
	if v.booksFailed == nil {
		v.books, v.even = books(&d.ledger)
		if d.ledger.Judging.Received == 0 {
			v.first = example(p.Status(), c.Request().Host)
		}
	}
	if v.lineFailed == nil {
		v.line = lineOf(d, v.booksFailed == nil, now)
		v.shares = shares(d.pipeline.Judge.Minute)
		if d.pipeline.Missing != "" {
			v.away = storeAway(d, now)
		}
	}
	v.runs = p.Status()
	v.since = moment(v.runs.Since, now)
	v.verdict = verdictOf(d, v, now)
	return v
}

// liveProblems renders what is wrong as of now.
func (p *Pages) liveProblems(c echo.Context) templ.Component {
	return problemsPanel(&p.look(c, &overviewData{}).verdict)
}

// liveLine renders the pipeline as of now.
func (p *Pages) liveLine(c echo.Context) templ.Component {
	return linePanel(p.look(c, &overviewData{}))
}

// storeAway says that the store is away, and since when if a process has noticed it.
func storeAway(d *overviewData, now time.Time) string {
	for i := range d.problems.Problems {
		if pr := &d.problems.Problems[i]; pr.Code == "store" && pr.Severity == "bad" {
			return "The store is away since " + moment(pr.Since, now) + ". Events wait in the queue until it answers."
		}
	}
	return "The store cannot be read. Events wait in the queue until it answers."
}

// busiest returns the first four, with links to their events where Events can be asked for them.
func busiest(items []apiclient.TopItem, condition string) (out []ranked) {
	for i := range min(4, len(items)) {
		r := ranked{name: visible(items[i].Name), events: items[i].Events, share: 100 * float64(items[i].Events) / float64(max(1, items[0].Events))}
		if condition != "" {
			r.href = "/events?" + url.Values{"q": {condition + items[i].Name}, "range": {"1h"}}.Encode()
		}
		out = append(out, r)
	}
	return out
}

// stage orders objectives as events pass: taken in, judged, delivered.
func stage(objective string) int {
	return slices.IndexFunc([]string{"ingest", "judging", "delivery"}, func(s string) bool { return strings.HasPrefix(objective, s) })
}

// share is a part of what was judged.
type share struct {
	fate  string
	count int64
	x, w  float64 // of the bar, in percent
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

// waiting returns how many alerts wait for the destination.
func waiting(p *apiclient.Pipeline) int64 { return depth(p.Queues[string(queue.Alert)]) }

func depth(q apiclient.PipelineQueue) int64 { return q.Ready + q.Claimed + q.Delayed }
