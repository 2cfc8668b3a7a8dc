package page

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
)

// TestVerdict: everything works only when every process, the books and the parts of the page say so; the worst comes first, two stand beside it,
// and the rest is behind "more".
func TestVerdict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	failed := &problem{Message: "the store is unavailable", Remedy: "wait"}
	found := func(severity, fact string) apiclient.Problem {
		return apiclient.Problem{Code: "c", Severity: severity, Since: now.Add(-time.Minute), Fact: fact, Consequence: "events wait", Remedy: "look", Promise: "nothing is lost"}
	}
	for name, c := range map[string]struct {
		problems []apiclient.Problem
		leftOut  int
		view     overviewView
		want     string // tone, title, fact, what holds, and the lines, notes and more
	}{
		"well":        {nil, 0, overviewView{even: true}, "ok|Everything works|0 events per second come in, and nothing waits.||0 0 0"},
		"notes alone": {[]apiclient.Problem{found("note", "a"), found("note", "b")}, 0, overviewView{even: true}, "ok|Everything works|0 events per second come in, and nothing waits.||0 1 1"},
		"a warning":   {[]apiclient.Problem{found("warn", "the queue is slow: 3 s")}, 0, overviewView{even: true}, "warn|The queue is slow|3 s.|Nothing is lost.|0 0 0"},
		"a name":      {[]apiclient.Problem{found("bad", "store: x")}, 0, overviewView{even: true}, "bad|Store: x||Nothing is lost.|0 0 0"},
		"many":        {[]apiclient.Problem{found("bad", "a"), found("bad", "b"), found("warn", "d"), found("warn", "e"), found("note", "f")}, 2, overviewView{even: true}, "bad|A||Nothing is lost.|2 1 2"},
		"books":       {[]apiclient.Problem{found("bad", "a")}, 0, overviewView{}, "bad|The books do not balance|Judging differs by 0 and delivery by 0 from what was received.||1 0 0"},
		"no books":    {[]apiclient.Problem{found("bad", "a")}, 0, overviewView{booksFailed: failed}, "bad|A|||0 0 0"},
		"part failed": {nil, 0, overviewView{even: true, lineFailed: failed}, "bad|A part of this page cannot be read|The store is unavailable.||0 0 0"},
	} {
		v := verdictOf(&overviewData{problems: apiclient.Problems{Problems: c.problems, LeftOut: c.leftOut}}, &c.view, now)
		if got := fmt.Sprintf("%s|%s|%s|%s|%d %d %d", v.tone, v.title, v.fact, v.held, len(v.lines), len(v.notes), len(v.more)); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, got, c.want)
		}
	}
}

// TestVerdictOnADestination: how long it drains is said while it would, else how fast the queue grows.
func TestVerdictOnADestination(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	number := func(f float64) *float64 { return &f }
	for _, c := range []struct {
		queue apiclient.PipelineQueue
		ends  string
	}{
		{apiclient.PipelineQueue{Ready: 1604, DrainSeconds: number(35), FullSeconds: number(9), Trend: 3.6}, "Look at moogsoft. Once it answers, the queue drains by itself in about 35 s at 50 per second."},
		{apiclient.PipelineQueue{Ready: 1604, FullSeconds: number(84 * 3600), Trend: 3.3}, "Look at moogsoft. The queue grows by 3.3 /s and is full in 3 days."},
		{apiclient.PipelineQueue{}, "Look at moogsoft."},
	} {
		d := overviewData{problems: apiclient.Problems{Problems: []apiclient.Problem{{Code: "destination_fails", Severity: "bad", Since: now, Fact: "f", Remedy: "look at the destination", Runbook: "destination"}}}}
		d.pipeline.Queues = map[string]apiclient.PipelineQueue{"alert": c.queue}
		d.pipeline.Destinations = []apiclient.Destination{{Name: "moogsoft", RateLimit: 50, Breaker: apiclient.BreakerState{State: "closed"}}}
		if v := verdictOf(&d, &overviewView{even: true}, now); v.todo != c.ends {
			t.Errorf("got %s, want %s", v.todo, c.ends)
		}
	}
}

// TestLineOfSeveralDestinations: each has a row, the worst first, and at most four are shown.
func TestLineOfSeveralDestinations(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	status := func(s int) *int { return &s }
	d := overviewData{}
	for i := range 6 {
		d.pipeline.Destinations = append(d.pipeline.Destinations, apiclient.Destination{Name: fmt.Sprint("d", i), LastStatus: status(200), Breaker: apiclient.BreakerState{State: "closed"}})
	}
	d.pipeline.Destinations[3].LastStatus = status(400)
	d.pipeline.Destinations[5].Breaker.State = "open"
	l := lineOf(&d, false, now)
	var names []string
	for _, row := range l.rows {
		names = append(names, row[2].name+" "+row[1].figure+" "+row[2].figure)
	}
	if got := strings.Join(names, ", "); got != "d5 Open 200, d3 Closed 400, d0 Closed 200, d1 Closed 200" || l.more != "2 more destinations work" {
		t.Errorf("got %s and %q", got, l.more)
	}
}
