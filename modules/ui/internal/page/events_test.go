package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
)

// TestPartialSearch: a search that looked at a part of the time says how much, and goes on from there.
func TestPartialSearch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 3, 12, 44, 0, time.UTC)
	looked := now.Add(-6 * time.Hour)
	s := listState{q: `"rx power"`, rng: "24h"}
	conds := []condition{{textKey, "rx power"}}
	when, _ := periodOf(&s, conds, now)
	var v eventsView
	(&Pages{}).list(&v, &apiclient.AuditLogs{Pagination: apiclient.Pagination{TotalIsEstimate: true, Partial: true, LookedFrom: &looked, NextCursor: "next"}}, s, conds, when, now)
	var b bytes.Buffer
	if err := eventsPanel(&v).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, "Looked at 6 h of 24 h") || !strings.Contains(got, "cursor=next") || !strings.Contains(got, "Go on") || strings.Contains(got, "No event matches") {
		t.Errorf("got %s", got)
	}
	if v.total != "" || v.sentence != "No event found so far in the last 24 hours" {
		t.Errorf("%q %q", v.total, v.sentence)
	}
	for d, want := range map[time.Duration]string{9 * time.Second: "9 s", 90 * time.Second: "2 min", 6 * time.Hour: "6 h", 150 * time.Minute: "2 h 30 min", 23*time.Hour + 50*time.Minute: "24 h", 7 * 24 * time.Hour: "7 d"} {
		if got := part(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// TestBars: every event of the histogram is drawn, in the order of the legend, and the part that was not looked at is marked.
func TestBars(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 11, 30, 2, 12, 44, 0, time.UTC)
	p := period{start: from, end: from.Add(time.Hour)}
	h := apiclient.Histogram{From: from, StepSeconds: 60, Events: 1003, Fates: map[string][]int64{"forwarded": make([]int64, 60), "ignored": make([]int64, 60)}}
	h.Fates["forwarded"][59], h.Fates["ignored"][59], h.Fates["ignored"][30] = 1, 1000, 2
	h.Partial, h.LookedFrom = true, from.Add(30*time.Minute)
	v := barsOf(&h, p, listState{q: "host:a", rng: "1h"}, []condition{{"host", "a"}})
	if len(v.blocks) != 3 || v.unseen != 300 || v.note != "Counted back to 02:42:44, the newest events only" || len(v.rows) != 2 || strings.Join(v.rows[1], " ") != "03:11:44 1 1,000" {
		t.Errorf("got %+v", v)
	}
	if v.legend[0] != (legendItem{"forwarded", "1", "/events?q=host%3Aa+fate%3Aforwarded&range=1h"}) || v.legend[1].count != "1,002" {
		t.Errorf("legend %+v", v.legend)
	}
	if got := strings.Join(v.ticks, " "); got != "02:13 02:28 02:43 02:58 03:12:44" || !strings.Contains(v.sentence, "1,003 events from 02:13 to 03:12:44; most, 1,001, in the 1 min from 03:11:44") {
		t.Errorf("ticks %s: %s", got, v.sentence)
	}
	if barsOf(&apiclient.Histogram{From: from, StepSeconds: 60}, p, listState{}, nil) != nil {
		t.Error("bars of nothing")
	}
	if len(stacked()) != len(event.Fates()) {
		t.Error("a fate has no place in the histogram")
	}
}
