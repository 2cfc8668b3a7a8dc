package ui

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// link returns the address of the first link whose text or label begins with words.
func (a answer) link(words string) string {
	for _, found := range regexp.MustCompile(`(?s)<a ([^>]*)>(.*?)</a>`).FindAllStringSubmatch(a.body, -1) {
		text := strings.TrimSpace(regexp.MustCompile(`(?s)<[^>]*>`).ReplaceAllString(found[2], ""))
		label := regexp.MustCompile(`aria-label="([^"]*)"`).FindStringSubmatch(found[1])
		if strings.HasPrefix(text, words) || label != nil && strings.HasPrefix(html.UnescapeString(label[1]), words) {
			return html.UnescapeString(regexp.MustCompile(`href="([^"]*)"`).FindStringSubmatch(found[1])[1])
		}
	}
	return ""
}

// listed returns the ids of the events that a page lists.
func (a answer) listed() (ids []string) {
	for _, found := range regexp.MustCompile(`<tr id="e-([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

// TestSearchWithoutScripts adds and removes conditions, chooses ranges, looks at one event and exports, by links and forms alone.
func TestSearchWithoutScripts(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer, sent := c.session("viewer"), c.client(false)
	sent.Jar = viewer.Jar
	add := func(q, more string) answer {
		t.Helper()
		return c.get(sent, "/events?"+url.Values{"q": {q}, "range": {"24h"}, "add": {more}}.Encode())
	}
	for _, s := range []struct{ q, more, want string }{
		{"", "host:edge-fra-1", "host:edge-fra-1"}, {"host:a", "fate:shed link down", "host:a fate:shed link down"}, {"host:a sev:err", "host:b", "sev:err host:b"},
		{`"two  words"`, `host:"x y"`, `"two  words" host:"x y"`}, {"host:", "fate:shed", "fate:shed"},
	} {
		got := add(s.q, s.more)
		to, err := url.Parse(got.location)
		if got.status != http.StatusSeeOther || err != nil || to.Path != "/events" || to.Query().Get("q") != s.want || to.Query().Get("range") != "24h" {
			t.Errorf("%q and %q: %d %s", s.q, s.more, got.status, got.location)
		}
	}
	for more, want := range map[string]string{"host:": "host: needs a value", `text:"a`: "lacks the closing quote", "host:a host:b": "gives host: a second time"} {
		got := add("team:NETO", more)
		if got.status != 400 || !strings.Contains(html.UnescapeString(got.body), want) || !strings.Contains(got.body, `aria-describedby="query-error"`) ||
			got.link("Remove the condition team:NETO") == "" || !strings.Contains(got.body, `value="`+html.EscapeString(more)+`"`) {
			t.Errorf("%q: %d, and not at the field", more, got.status)
		}
	}
	for q, want := range map[string]string{"sev:bad": "sev:bad: the value must be one of", "fate:doom": "fate:doom: the value is", "src:fax": "src:fax: the value must be", "rule:x": "rule:x:", "id:1": "id:1:", "env:test": "env:test:"} {
		if got := c.get(viewer, "/events?q="+url.QueryEscape(q)); got.status != 400 || !strings.Contains(html.UnescapeString(got.body), want) || got.link("Remove the condition "+q) == "" {
			t.Errorf("%q: %d, and not at the field", q, got.status)
		}
	}
	page := c.get(viewer, "/events?q="+url.QueryEscape("host:EDGE-FRA-1 sev:err..notice"))
	if got := page.listed(); page.status != 200 || len(got) == 0 || !strings.Contains(page.body, "<b>"+fmt.Sprint(len(got))+" events</b>") {
		t.Errorf("two conditions: %d, %d rows", page.status, len(page.listed()))
	}
	if without := page.link("Remove the condition sev:"); without != "/events?q=host%3AEDGE-FRA-1&range=1h" {
		t.Errorf("without sev: %s", without)
	}
	one := page.listed()[3]
	peek := c.get(viewer, "/events?q=host%3Afw-fra-1&range=15m&e="+one) // an event that this list has not
	if whole := peek.link("Whole event"); whole != "/events/"+one || !strings.Contains(peek.body, `id="peek-title"`) || peek.link("Close") != "/events?q=host%3Afw-fra-1&range=15m" ||
		peek.link("Events of this host") != "/events?q=host%3Aedge-fra-1&range=15m" {
		t.Errorf("an event of another list: %s, %s", whole, peek.link("Close"))
	}
	if gone := c.get(viewer, "/events?e=01a22a69-5616-797d-a284-9d73eb438a90"); gone.status != 200 || !strings.Contains(gone.body, "This event is not shown") {
		t.Errorf("an event that is not there: %d", gone.status)
	}
	byID := c.get(viewer, "/events?q=id%3A"+one)
	if got := byID.listed(); len(got) != 1 || got[0] != one || !strings.Contains(byID.body, "at any time") {
		t.Errorf("by id: %q", got)
	}
	fixed := c.get(viewer, page.link("Fix this range"))
	if got := fixed.listed(); fmt.Sprint(got) != fmt.Sprint(page.listed()) || fixed.link("Fix this range") != "" || !strings.Contains(fixed.body, "in the chosen time") {
		t.Errorf("a fixed range has %d of %d rows", len(got), len(page.listed()))
	}
	for query, want := range map[string]string{"from=2026-11-30T03:00&to=2026-11-30T02:00": "To must be after From", "from=yesterday": "From must be a time", "to=1%00": "To must be a time"} {
		if got := c.get(viewer, "/events?"+query); got.status != 400 || !strings.Contains(got.body, want) || !strings.Contains(got.body, `aria-describedby="range-error"`) {
			t.Errorf("%s: %d, and not at the field", query, got.status)
		}
	}
	if got := c.get(viewer, "/events?from=2026-11-30T03:00:00&to=2026-11-30T03:05"); got.status != 200 || len(got.listed()) != 11 || !strings.Contains(got.body, `value="2026-11-30T03:05:00"`) {
		t.Errorf("a chosen range: %d, %d rows", got.status, len(got.listed()))
	}
	if got := c.get(viewer, "/events?from=2020-01-01"); got.status != 200 || len(got.listed()) != 50 || !strings.Contains(got.body, "at most 31 days") {
		t.Errorf("a range that the histogram refuses: %d, %d rows", got.status, len(got.listed()))
	}
	if got := c.get(viewer, "/events?cursor=AAAA"); got.status != 400 || !strings.Contains(got.body, "begin again without a cursor") && !strings.Contains(got.body, "Begin again without a cursor") || got.link("Try again") != "" {
		t.Errorf("a damaged cursor: %d %s", got.status, got.link("Try again"))
	}
	export := c.get(viewer, page.link("Export"))
	if lines := strings.Count(export.body, "\n"); export.header.Get("Content-Type") != "application/x-ndjson" || lines != len(page.listed()) {
		t.Errorf("exported %d lines of %d", lines, len(page.listed()))
	}
}

// TestSearchPages goes to the end by Older, and back by Newer: no row is missing, none twice, and each page is the one that it was.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer := c.session("viewer")
	var pages []string
	seen := map[string]bool{}
	path := "/events?range=24h"
	for path != "" {
		got := c.get(viewer, path)
		for _, id := range got.listed() {
			if seen[id] {
				t.Errorf("%s is on two pages", id)
			}
			seen[id] = true
		}
		pages = append(pages, fmt.Sprint(got.listed()))
		if len(pages) == 3 && !strings.Contains(got.body, "rows 101 to 120") {
			t.Error("the last page does not say which rows it has")
		}
		if older := got.link("Older"); older != "" {
			path = older
			continue
		}
		for at := len(pages) - 2; at >= 0; at-- {
			got = c.get(viewer, got.link("Newer"))
			if fmt.Sprint(got.listed()) != pages[at] {
				t.Errorf("back on page %d there are other rows", at)
			}
		}
		if got.link("Newer") != "" || got.link("Newest") != "" {
			t.Error("there is something newer than the newest")
		}
		path = ""
	}
	if len(seen) != 120 || len(pages) != 3 {
		t.Errorf("%d rows on %d pages", len(seen), len(pages))
	}
}

// TestSearchFindsNothing offers looser queries with their counts, each of which finds as many as it says.
func TestSearchFindsNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer := c.session("viewer")
	got := c.get(viewer, "/events?q="+url.QueryEscape("host:edge-fra-1 team:SEC fate:forwarded")+"&range=15m")
	offers := regexp.MustCompile(`<a class="btn" href="([^"]*)">((?:Without|Look|Any)[^<]*) ?<b>([0-9]+)</b></a>`).FindAllStringSubmatch(got.body, -1)
	if got.status != 200 || len(offers) < 2 {
		t.Fatalf("%d, offers %q", got.status, offers)
	}
	for _, offer := range offers {
		if found := c.get(viewer, html.UnescapeString(offer[1])); fmt.Sprint(len(found.listed())) != offer[3] {
			t.Errorf("%s: %s are promised, and %d found", offer[2], offer[3], len(found.listed()))
		}
	}
	if got := c.get(viewer, "/events?q="+url.QueryEscape("host:none team:none")); got.link("Any event") == "" {
		t.Error("nothing is offered when no single condition is to blame")
	}
	empty := newEmptyConsole(t, Health{})
	if got := empty.get(empty.session("viewer"), "/events"); got.status != 200 || !strings.Contains(got.body, "No event arrived in the last hour") {
		t.Errorf("without events: %d", got.status)
	}
}

// TestSearchSaysWhatIsSampled: counts of unhandled events are of what is recorded.
func TestSearchSaysWhatIsSampled(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer := c.session("viewer")
	const words = "Of unhandled events 10 % are recorded"
	if got := c.get(viewer, "/events"); strings.Contains(got.body, "are recorded (") {
		t.Error("a note although all are recorded")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.url+"/api/v2/config/audit_unhandled_sample_percent", strings.NewReader(`{"value":10,"reason":"storm"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-KEY", c.keys["admin"])
	if got := c.fetch(http.DefaultClient, req); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := c.get(viewer, "/events"); !strings.Contains(got.body, words) {
		t.Error("no note")
	}
}

// TestSearchFragment: what a script asks for is the event alone; the browser's history gets the page.
func TestSearchFragment(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer := c.session("viewer")
	ask := func(headers ...string) answer {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/events?q=host%3Aedge-fra-1&e="+forwardedID(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range headers {
			value := "true"
			if name == "HX-Target" {
				value = "peek"
			}
			req.Header.Set(name, value)
		}
		return c.fetch(viewer, req)
	}
	if got := ask("HX-Request", "HX-Target"); got.status != 200 || strings.Contains(got.body, "<html") || !strings.HasPrefix(strings.TrimSpace(got.body), "<section") {
		t.Errorf("the fragment: %d %.80s", got.status, got.body)
	}
	if got := ask("HX-Request", "HX-Target", "HX-History-Restore-Request"); !strings.Contains(got.body, "<html") {
		t.Error("the history gets a fragment")
	}
}

// TestSearchOfHostileText: whatever stands in the address is text or an error of the reader, and never a part of the page.
func TestSearchOfHostileText(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	viewer := c.session("viewer")
	for _, evil := range []string{attack, `"`, `host:"`, `\`, "a\x00b", "\xff", strings.Repeat("host:a ", 400), strings.Repeat("a", 3000), `' OR 1=1 --`, "%", "..", ".........................",
		"-1", "99999999999999999999", "javascript:alert(1)", "2026-11-30T03:00:00+99:00", "0001-01-01", "//evil.example", "\r\nX-Injected: yes"} {
		for _, name := range []string{"q", "add", "range", "from", "to", "cursor", "back", "at", "e", "live"} {
			query := url.Values{name: {evil}}
			switch name {
			case "back", "at":
				query.Set("cursor", strings.TrimPrefix(c.get(viewer, "/events?range=24h").link("Older"), "/events?"))
			case "q":
				query.Set("add", "fate:shed")
			}
			got := c.get(viewer, "/events?"+query.Encode())
			if got.status >= 500 || strings.Contains(got.body, "<script>document") || strings.Contains(got.body, "<img") || strings.ContainsAny(got.body, "\x00\x1b\u202e") || got.header.Get("X-Injected") != "" {
				t.Errorf("%s=%.40q: %d", name, evil, got.status)
			}
		}
	}
}
