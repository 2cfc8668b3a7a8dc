package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// forwardedID is an event of edge-fra-1 that pages.
func forwardedID() string { return sceneEvent(105) }

// attackID is the event whose every field attacks its reader.
func attackID() string { return sceneEvent(117) }

// judgeOne adds an event that was judged now.
func (c *console) judgeOne(e event.Event, d event.Decision) string {
	c.Helper()
	if e.ReceivedAt == 0 {
		e.ReceivedAt = sceneTime().UnixMicro()
	}
	e.ID = uuid.Must(uuid.NewV7())
	at := idAt(event.Time(e.ReceivedAt), 0)
	copy(e.ID[:6], at[:6])
	if e.Timestamp == 0 {
		e.Timestamp = e.ReceivedAt
	}
	c.judge(store.AuditRow{Event: &e, Decision: &d})
	return e.ID.String()
}

// TestPassportSaysWhatBecameOfIt has an event of each fate.
func TestPassportSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("viewer")
	has := func(where, body string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %q", where, part)
			}
		}
	}
	got := c.get(client, "/events/"+forwardedID())
	has("forwarded", got.body, `<h1 id="verdict">Published to page and ticket NETO.</h1>`, `<a href="/rules/3">BGP neighbor down</a>`, "not recorded for a single event",
		"−200 ms", "its clock is in step", "Received as syslog", "192.0.2.31", "Judged with ruleset", "The nearest of 8 active rules.", "maintenance edge-ams",
		"neither host &#34;edge-fra-1&#34; nor address &#34;192.0.2.31&#34; fits &#34;edge-ams-*&#34;", "Published to the alert queue", "edge-fra-1::bgp::203.0.113.10",
		`id="received"`, `id="judged"`, `id="now"`, "/events?from=", "q=host%3Aedge-fra-1", "q=corr%3Ac-0105", "q=rule%3A3", "syslog_severity", "Mon 30 Nov, 03:05:59.058",
		"Judge it again with today's rules", "needs the role operator", "its row is kept until 1 Mar 2027.")
	if strings.Contains(got.body, "/rules/new") || strings.Contains(got.body, "the same.") {
		t.Error("a viewer is offered to make a rule, or it was judged again unasked")
	}
	has("an operator's", c.get(c.session("operator"), "/events/"+forwardedID()).body, `href="/rules/new?from=`+forwardedID()+`"`)
	for fate, words := range map[event.Fate][]string{
		event.FateRecorded: {"Recorded only.", "This is final"}, event.FateIgnored: {"Ignored.", "This is final"},
		event.FateSilenced: {"Held back by a silence."}, event.FateUnhandled: {"No rule matched it.", "1 unhandled"},
		event.FateShed: {"Shed: not published.", "Parked in the dead letters of the alert queue"}, event.FatePoison: {"It could not be judged.", "Parked in the dead letters of the ingest queue"},
	} {
		d := event.Decision{Fate: fate, Handling: event.PageOnly, RuleName: "gone", RuleID: 99, Team: "NETO", RulesetVersion: 1e6}
		if fate == event.FateUnhandled || fate == event.FatePoison {
			d = event.Decision{Fate: fate}
		}
		id := c.judgeOne(event.Event{Hostname: "rt-" + fate.String(), Message: "m", Severity: event.Absent, Facility: event.Absent, Source: event.SourceHTTP}, d)
		got := c.get(client, "/events/"+id).body
		has(fate.String(), got, append(words, fate.String(), "Received over HTTP")...)
		if strings.Contains(got, "Published to the alert queue") || strings.Contains(got, "/rules/99") {
			t.Errorf("%s: it was published, or links to a rule that is not there", fate)
		}
		if d.RuleID != 0 {
			has(fate.String(), got, "Which rules came near is not known: The rules of version 1000000 are not in this store")
		}
	}
}

// TestPassportJudgesAgain: on demand, with and without scripts, and says what differs.
func TestPassportJudgesAgain(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("viewer")
	path := "/events/" + forwardedID() + "?now=1"
	if got := c.get(client, path).body; !strings.Contains(got, ": the same.") || !strings.Contains(got, "What happened to it") {
		t.Errorf("got %s", got)
	}
	if _, err := c.store.Change(t.Context(), store.Actor{Name: "test"}, "", func(tx *store.Tx) error { return tx.DeleteRule(3) }); err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
	req.Header.Set("HX-Request", "true")
	got := c.fetch(client, req).body
	for _, want := range []string{"it differs", "rule: <mark>BGP neighbor down</mark>", "rule: <mark>none</mark>", "handling: <mark>Page_and_ticket</mark>"} {
		if !strings.Contains(got, want) {
			t.Errorf("the fragment lacks %q: %s", want, got)
		}
	}
	if !strings.HasPrefix(got, `<div id="again"`) {
		t.Errorf("not a fragment: %.100s", got)
	}
	if got := c.get(client, "/events/"+forwardedID()).body; !strings.Contains(got, "Judged with ruleset 8") || strings.Contains(got, `href="/rules/3"`) || !strings.Contains(got, "maintenance edge-ams") {
		t.Error("the rules of then are forgotten, or a deleted rule is linked")
	}
}

// TestPassportOfOthers: hostile ids, ids that are not known, and events that are large or attack the reader.
func TestPassportOfOthers(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("operator")
	for path, want := range map[string]string{
		"/events/01a22a69-5616-797d-a284-9d73eb438a90":       "Not known: never received, or older than the retention in force",
		"/events/01a22a69-5616-797d-a284-9d73eb438a90?now=1": "MUTT keeps judged events for 90 days",
		"/events/7":                            "This is not the ID of an event",
		"/events/%3Cscript%3Ex%3C%2Fscript%3E": "&lt;script&gt;x&lt;/script&gt;",
		"/events/%1b%5B31m%E2%80%AE":           "‹U+001B›[31m‹U+202E›",
		"/events/..%2F..%2Flogout":             "../../logout",
		"/events/%00":                          "‹U+0000›",
		"/events/%ff%fe":                       "not the ID",
		"/events/" + strings.Repeat("a", 5000): "not the ID",
		"/events/%7B" + forwardedID() + "%7D":  "not the ID",
	} {
		got := c.get(client, path)
		if got.status != http.StatusNotFound || !strings.Contains(got.body, want) || strings.Contains(got.body, "<script>") || strings.ContainsAny(got.body, "\x1b\u202e\x00") || len(got.body) > 20000 {
			t.Errorf("%s: %d, lacks %q: %.2000s", path, got.status, want, got.body)
		}
	}
	for name, id := range map[string]string{
		"attack": attackID(),
		"large":  c.judgeOne(event.Event{Hostname: "large", Message: strings.Repeat("0123456789 abcdef ", 64<<10/17), Severity: 3, Facility: 1}, event.Decision{Fate: event.FateUnhandled}),
		"odd":    c.judgeOne(event.Event{Hostname: "odd", Message: strings.Repeat("\u202e", 20000), Severity: 3, Facility: 1}, event.Decision{Fate: event.FateUnhandled}),
		"many": c.judgeOne(event.Event{Hostname: "many", Message: "m", Fields: `{"a":{"b":["` + strings.Repeat(`x","`, 2000) + `"]}` + strings.Repeat(`,"k":"`+strings.Repeat("v", 900)+`"`, 60) + `}`},
			event.Decision{Fate: event.FateUnhandled}),
		"clock": c.judgeOne(event.Event{Hostname: "clock", Message: "m", Fields: `{"original_timestamp":"yesterday\u001b"}`}, event.Decision{Fate: event.FateUnhandled}),
	} {
		for _, query := range []string{"", "?now=1"} {
			got := c.get(client, "/events/"+id+query)
			if got.status != http.StatusOK || strings.Contains(got.body, "<img") || strings.Contains(got.body, "<script>") || strings.ContainsAny(got.body, "\x1b\u202e") {
				t.Errorf("%s: %d, or what a device wrote is not text", name, got.status)
			}
			if n := compressed(c, got.body); n > 15<<10 {
				t.Errorf("%s has %d bytes", name, n)
			}
			want := map[string]string{"large": "the beginning of 6", "odd": "the beginning of 60,000 bytes", "many": "more fields in the", "clock": "could not be used: yesterday‹U+001B›", "attack": "&lt;img"}[name]
			if !strings.Contains(got.body, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
	}
}
