package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestFindLeadsToPages: an id goes straight to its event, everything else is listed, and nothing leads elsewhere.
func TestFindLeadsToPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.client(false)
	c.post(client, "/login", url.Values{"key": {c.keys["viewer"]}})
	find := func(q string, headers ...string) answer {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/find?"+url.Values{"q": {q}}.Encode(), nil)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		return c.fetch(client, req)
	}
	if got := find("  " + strings.ToUpper(forwardedID()) + " "); got.status != http.StatusSeeOther || got.location != "/events/"+forwardedID() {
		t.Errorf("an id: %d %s", got.status, got.location)
	}
	for q, wants := range map[string][]string{
		"c-0105":         {`href="/events/` + forwardedID() + `"`, "by its correlation ID"},
		"EDGE-":          {`href="/events?q=host%3Aedge-fra-1"`},
		"bgp neigh":      {`href="/rules/3"`, "BGP neighbor down", "priority 10"},
		"4":              {`href="/rules/4"`},
		"rul":            {`href="/rules"`},
		"over":           {`href="/"`},
		"Down BGP":       {`href="/events?q=Down+BGP"`, "Search events for Down BGP"},
		"":               {`href="/events"`, `href="/docs"`},
		"\x1b":           {"Nothing found", "‹U+001B›"},
		attack[:60]:      {"&lt;img src=x"},
		"//evil.example": {`href="/events?q=%2F%2Fevil.example"`}, "https://evil.example": {"Search events for"}, "javascript:alert(1)": {"Search events for"},
		strings.Repeat("a", 5000): {"Search events for a"},
	} {
		for _, headers := range [][]string{nil, {"HX-Request", "true"}} {
			got := find(q, headers...)
			if got.status != http.StatusOK || strings.Contains(got.body, "<img") || strings.Contains(got.body, "<script>") || strings.ContainsAny(got.body, "\x1b\u202e") {
				t.Errorf("%.40q: %d, or what was typed is not text", q, got.status)
			}
			for _, link := range strings.Split(got.body, `href="`)[1:] {
				if !strings.HasPrefix(link, "/") || strings.HasPrefix(link, "//") {
					if !strings.HasPrefix(link, "#") {
						t.Errorf("%.40q: a link leads to %.60s", q, link)
					}
				}
			}
			for _, want := range wants {
				if headers != nil && (q == "\x1b") {
					continue
				}
				if !strings.Contains(got.body, want) {
					t.Errorf("%.40q with %v lacks %q: %.3000s", q, headers, want, got.body)
				}
			}
			if headers != nil && strings.Contains(got.body, "<html") {
				t.Errorf("%.40q: not a fragment", q)
			}
		}
	}
}

// findByKeyboard: / and Ctrl K go to the box, arrows and Enter to what it found, and an id leads straight to its event.
func findByKeyboard(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("light", 1440)
	b.logIn("operator")
	b.do(chromedp.Navigate(b.url + "/events"))
	slash := func() {
		t.Helper()
		b.do(chromedp.KeyEvent("/"))
		b.until("/ goes to the box", `document.activeElement.id === "find"`)
		get[bool](b, `document.querySelector("#find").value = ""; true`) // chromedp types the key although the page took it
	}
	slash()
	b.do(chromedp.KeyEvent("bgp"))
	b.until("the list opens", `!document.querySelector("#find-list").hidden && document.querySelector("#find").getAttribute("aria-expanded") === "true" && document.querySelector("#find-list").textContent.includes("BGP neighbor down")`)
	b.do(chromedp.KeyEvent("\u0301")) // ArrowDown
	b.until("an option is active", `document.activeElement.id === "find" && document.getElementById(document.activeElement.getAttribute("aria-activedescendant"))?.getAttribute("aria-selected") === "true"`)
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("Esc closes the list", `document.querySelector("#find-list").hidden && !document.querySelector("#find").hasAttribute("aria-activedescendant")`)
	get[bool](b, `document.querySelector("#find").value = ""; document.querySelector("#find").blur(); true`)
	get[bool](b, `document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true, cancelable: true})); true`)
	b.until("Ctrl K goes to the box", `document.activeElement.id === "find"`)
	b.do(chromedp.KeyEvent("edge-fra-1"))
	b.until("the host is found", `document.querySelector("#find-list").textContent.includes("Search events for edge-fra-1") && document.querySelector("#find-list").textContent.includes("its events")`)
	get[bool](b, `window.same = true`)
	b.do(chromedp.KeyEvent("\u0301"), chromedp.KeyEvent("\r"))
	b.until("Enter opens it", `!window.same && location.pathname === "/events" && location.search.includes("host%3Aedge-fra-1") && document.readyState === "complete"`)
	slash()
	b.do(chromedp.KeyEvent(forwardedID() + "\r"))
	b.until("an id leads to its event", `location.pathname === "/events/`+forwardedID()+`" && document.readyState === "complete"`)
	slash()
	b.do(chromedp.KeyEvent(attack[:60]))
	b.until("what was typed is text", `document.querySelector("#find-list").textContent.includes("<img src=x")`)
	b.sound("find")
	b.look("light", 390)
	b.do(chromedp.Navigate(b.url + "/events"))
	b.do(chromedp.Click(".finder-link"))
	b.until("on a phone it is a page", `location.pathname === "/find" && document.readyState === "complete"`)
}
