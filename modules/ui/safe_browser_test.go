package ui

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// hostile has what breaks out of text, attributes, scripts, styles and templates, and what turns or hides text. Whatever of it ran would
// set window.owned or ask for /owned.
func hostile() string {
	return strings.Join([]string{attack, `"><svg/onload=window.owned=1><img src=/owned onerror=window.owned=1>`, `' autofocus onfocus=window.owned=1 x='`, "`onmouseover=window.owned=1`",
		`</title></textarea></template></script><script>window.owned=1</script>`, `<iframe srcdoc="<script>parent.owned=1</script>">`, `<a hx-get=/owned hx-trigger=load>x</a>`,
		`{{constructor.constructor('window.owned=1')()}} ${window.owned=1} <%= owned %>`, `<style>@import "/owned"</style><link rel=stylesheet href=/owned><base href=//evil.example>`,
		`<meta http-equiv=refresh content="0;url=//evil.example">`, `<!-- --!> <![CDATA[ ]]>`, "\u2066a\u2069 \u200f\u061c\u2028\x7f\u0085\x08\x00\r\n\tend"}, " ")
}

// foreign lists what on a page came from somebody's text instead of a template, and characters that turn or hide text.
const foreign = `(() => {
	const odd = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/, out = [];
	if (window.owned || !document.title.endsWith("· MUTT")) out.push("a script ran: " + document.title);
	for (const e of document.querySelectorAll("*")) {
		if (e.matches("img, iframe, object, embed, base, style, meta[http-equiv], script:not([src^='/static/']), link:not([href^='/static/'])")) out.push(e.outerHTML.slice(0, 120));
		for (const {name, value} of e.attributes) {
			if (/^on|^(srcdoc|style)$/.test(name) && !e.closest(".uplot, i[hidden]")) out.push(name + " of " + e.outerHTML.slice(0, 120));
			if (/^(href|src|action|formaction|hx-get|hx-post|xlink:href)$/.test(name) && new URL(value, location.href).origin !== location.origin) out.push(name + "=" + value.slice(0, 120));
			if (/^(title|aria-label|alt|placeholder|href|class|id)$/.test(name) && odd.test(value)) out.push("hidden characters in " + name + ": " + JSON.stringify(value.slice(0, 120)));
		}
	}
	const texts = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const {data, parentElement} = texts.currentNode;
		if (odd.test(data) && parentElement.tagName !== "TEXTAREA") out.push("hidden characters in <" + parentElement.tagName + "> " + JSON.stringify(data.slice(0, 120)));
	}
	for (const field of document.querySelectorAll("input:not([type=hidden]), textarea")) // a field holds a text as it is, and it is shown again beside it
		if (odd.test(field.value) && !(field.closest("li, .field") || field.parentElement).textContent.includes("‹U+")) out.push("hidden characters only in the field " + (field.id || field.name));
	return out;
})()`

// unharmed fails the test when something of a text took effect on the page that is open.
func (b *tab) unharmed(where string) {
	b.Helper()
	for _, f := range get[[]string](b, foreign) {
		b.Errorf("%.100s: %s", where, f)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if u, err := url.Parse(r); err == nil && (u.Path == "/owned" || u.Path == "/x" || u.Host != strings.TrimPrefix(b.url, "http://") && u.Scheme != "data") {
			b.Errorf("%.100s: a request went to %s", where, r)
		}
	}
	b.requests = nil
	for _, c := range b.complaints {
		// Pages that are refused, times that are none, and drafts that are left are no fault.
		if !strings.HasPrefix(c, "network: Failed to load resource") && !strings.HasPrefix(c, "rendering: ") && !strings.HasPrefix(c, "intervention: ") {
			b.Errorf("%.100s: the browser says: %s", where, c)
		}
	}
	b.complaints = nil
}

// hostileConsole has the hostile text wherever a device or a user can write one, and returns the ids of
// its event, its rule and the change that created that.
func hostileConsole(t *testing.T) (b *tab, eventID string, ruleID, change int64) {
	t.Helper()
	evil := hostile()
	c := newConsoleOf(t, Health{Errors: []string{evil}, Warnings: []string{evil}}, func(d *Deps) {
		d.Top = func(context.Context, string) (apiclient.Top, error) {
			return apiclient.Top{Items: []apiclient.TopItem{{Name: evil, Events: 9}, {Name: "javascript:window.owned=1", Events: 4}}}, nil
		}
	})
	populate(t, c.store)
	c.scene.destinations = []apiclient.Destination{{Name: evil, Breaker: apiclient.BreakerState{State: "open"}}}
	c.scene.problems = []apiclient.Problem{{Code: evil, Severity: "bad", Since: sceneTime(), Title: evil, Fact: evil, Consequence: evil, Remedy: evil, Promise: evil, Runbook: "javascript:window.owned=1", Unit: evil,
		Processes: []string{evil}}}
	named := evil[:strings.Index(evil, "<style>")]
	c.ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:" + named, Role: authn.Operator}, Hash: authn.HashSecret(c.keys["operator"])}})
	severity := 5
	var err error
	change, err = c.store.Change(t.Context(), store.Actor{Name: "key:" + named}, evil, func(tx *store.Tx) (err error) {
		ruleID, err = tx.CreateRule(rule.Rule{Name: evil, Description: evil, MatchString: evil, MatchType: rule.Contains, HostPattern: evil, TeamAssignment: evil, Signature: evil, Priority: 2, ProdHandling: "Page_and_ticket",
			DevHandling: "Ignore", SeverityOverride: &severity, IsActive: true, Examples: &rule.Examples{Matches: []string{evil}, NotMatches: []string{evil + "not"}, Expect: map[string]string{evil: evil}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	row := hostileRow(1, ruleID)
	c.judge(row)
	return c.newTab(), row.Event.ID.String(), ruleID, change
}

// hostileRow returns the n-th event every field of which is hostile.
func hostileRow(n int, ruleID int64) store.AuditRow {
	evil, row := hostile(), judgedNow(n, hostile(), hostile())
	e, d := row.Event, row.Decision
	e.CorrelationID, e.AppName, e.ProcID, e.MsgID, e.SourceIP = evil, evil, evil, evil, evil
	e.Fields = "{" + string(event.AppendJSONString(nil, evil)) + ":" + string(event.AppendJSONString(nil, evil)) + `,"link":"javascript:window.owned=1"}`
	e.Variables = []event.Variable{{OID: evil, Type: evil, Value: evil}}
	*d = event.Decision{Fate: event.FateForwarded, Handling: event.PageAndTicket, RuleName: evil, RuleID: ruleID, Team: evil, Severity: 5, Signature: evil}
	return row
}

// nothingHostileRuns walks over every view with hostile text in every field and every parameter.
func nothingHostileRuns(t *testing.T) {
	t.Helper()
	b, id, ruleID, change := hostileConsole(t)
	b.look("dark", 1440)
	b.logIn("operator")
	visit := func(path string, act func()) {
		t.Helper()
		b.do(chromedp.Navigate(b.url + path))
		if act != nil {
			act()
		}
		b.unharmed(path)
	}
	shows := func(selector string) func() {
		return func() {
			t.Helper()
			b.until(selector+" shows it as text", fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes("<script>") && e.textContent.includes("‹U+202E›"))`, selector))
		}
	}
	rulePage := fmt.Sprintf("/rules/%d", ruleID)
	visit("/", shows("#o-problems, #main"))
	b.state("live")
	b.unharmed("Overview, live")
	visit("/events?range=1h", shows(".rows"))
	visit("/events?range=1h&e="+id, shows("#peek"))
	visit("/events?live=1", shows(".who"))
	b.state("live")
	b.judge(hostileRow(2, ruleID))
	b.until("the event comes by the stream", `document.querySelector("#tail-rows").textContent.includes("<script>")`)
	get[bool](b, `document.querySelector("#tail-rows tr [data-row]").click(); true`)
	b.until("it opens beside the list", `document.querySelector("#peek").textContent.includes("‹U+202E›")`)
	b.unharmed("the live list")
	visit("/events/"+id+"?now=1", shows("main"))
	visit("/rules", shows("tbody"))
	visit(fmt.Sprint("/rules?rule=", ruleID), func() {
		shows(".peek")()
		get[bool](b, `document.querySelectorAll("details").forEach(d => d.open = true); true`)
	})
	visit(fmt.Sprint("/rules?change=", change), shows("#toasts"))
	visit("/rules/new?from="+id, func() { matchesShown(b) })
	const reviewed = `!!document.querySelector("#overlay dialog[open]") || !!document.querySelector("[aria-invalid]")`
	get[bool](b, `for (const [name, value] of [["name", "draft"], ["team_assignment", "NETO"], ["signature", ""], ["host_pattern", ""], ["match_string", "script"]]) document.getElementById(name).value = value; document.querySelector("#review-button").click(); true`)
	b.until("the review of a draft, or why there is none", reviewed)
	b.unharmed("the review of a draft")
	visit(rulePage, func() { shows("#main")(); matchesShown(b) })
	get[bool](b, `document.querySelector("#review-button").click(); true`)
	b.until("the review, or why there is none", reviewed)
	b.unharmed("the review")
	visit("/find?q=script", nil)
	get[bool](b, `{const f = document.querySelector("input[name=q]"); f.value = "<script>window.owned=1</script>"; htmx.ajax("GET", "/find?q=" + encodeURIComponent(f.value), {target: "#find-list", source: f}).then(() => true)}`)
	b.unharmed("found while typing")
	for _, text := range []string{hostile(), "javascript:window.owned=1"} {
		q := url.QueryEscape(text)
		for _, path := range []string{"/events?q=", "/events?q=host%3A", "/events?range=", "/events?from=", "/events?from=2026-11-30T03:00:00Z&to=", "/events?e=", "/events?cursor=", "/events?live=1&q=", "/rules?q=", "/rules?show=",
			"/rules?rule=", "/rules?after=", "/rules/new?from=", "/find?q=", "/?change=", "/rules?saved=1&change="} {
			visit(path+q, nil)
		}
		if !strings.Contains(text, "/") {
			for _, path := range []string{"/events/", "/rules/", "/"} {
				visit(path+url.PathEscape("owned "+text), nil)
			}
		}
	}
	b.do(chromedp.Navigate(b.url+"/"), chromedp.Click(".who summary"), chromedp.Click(".menu button"), chromedp.WaitVisible("#key"))
	for _, text := range []string{hostile(), "javascript:window.owned=1"} {
		visit("/login?ended=1&next="+url.QueryEscape(text), nil)
	}
}

// seen says what is wrong with the focus: lost, without an outline, outside of the window, or behind something.
const seen = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return "the focus is on nothing";
	const name = e.tagName + "#" + e.id + " " + (e.innerText || e.name || "").slice(0, 40);
	const outlined = [e, e.parentElement, e.nextElementSibling, e.closest("tr"), e.closest("label"), e.closest("form")].some(x => x && (s => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1.5)(getComputedStyle(x)));
	if (!outlined) return name + " has no outline";
	const shape = e.matches("input[type=radio]") && e.nextElementSibling || e, r = shape.getBoundingClientRect();
	if (r.width < 2 || r.height < 2) return name + " has no size";
	const x = (Math.max(0, r.left) + Math.min(innerWidth, r.right)) / 2, y = Math.max(r.top, 0) + Math.min(r.height, 20) / 2;
	if (r.bottom < 0 || r.top > innerHeight || r.right < 0 || r.left > innerWidth) return name + " is outside of the window";
	const top = document.elementFromPoint(x, y);
	return top && (shape.contains(top) || top.contains(shape) || shape.closest("label")?.contains(top)) ? "" : name + " is behind " + (top ? top.outerHTML.slice(0, 80) : "nothing");
})()`

// keysAreEnough: the way from a login to a rule that is saved takes no pointer, and what has the focus is always seen.
func keysAreEnough(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	press := func(keys string) { b.do(chromedp.KeyEvent(keys)) }
	looked := map[string]bool{}
	focus := func(where string) {
		t.Helper()
		if wrong := get[string](b, seen); wrong != "" && !looked[where+wrong] {
			looked[where+wrong] = true
			t.Errorf("%s: %s", where, wrong)
		}
	}
	tabTo := func(where, script string) {
		t.Helper()
		for range 120 {
			if get[bool](b, `!!(`+script+`)`) {
				return
			}
			press("\t")
			focus(where)
		}
		t.Fatalf("%s: Tab does not reach %s", where, script)
	}
	b.do(chromedp.Navigate(b.url + "/login"))
	b.until("the field has the focus", `document.activeElement.id === "key" && document.readyState === "complete"`)
	press(b.keys["operator"])
	focus("login")
	press("\r")
	b.until("logged in", `location.pathname === "/" && document.readyState === "complete"`)
	press("ge")
	b.until("Events", `location.pathname === "/events" && document.readyState === "complete"`)
	press("f")
	b.until("the field of the search", `document.activeElement.id === "query"`)
	focus("events")
	get[bool](b, `document.activeElement.value = ""; true`) // chromedp sends the letter after the key, whoever has taken it
	press("fate:unhandled\r")
	b.until("searched", `location.search.includes("fate%3Aunhandled") && document.readyState === "complete" && !!document.querySelector("[data-row]")`)
	press("j")
	focus("events")
	press("\r")
	b.until("beside the list", `!!document.querySelector("#peek .peek")`)
	focus("events, beside the list")
	press("\r")
	b.until("its page", `location.pathname.startsWith("/events/") && document.readyState === "complete"`)
	tabTo("event", `document.activeElement.getAttribute("href")?.startsWith("/rules/new?from=")`)
	press("\r")
	b.until("the editor", `location.pathname === "/rules/new" && document.readyState === "complete"`)
	matchesShown(b)
	tabTo("editor", `document.activeElement.id === "team_assignment"`)
	press("NETO")
	tabTo("editor", `document.activeElement.closest("#matches")`)
	b.until("the matches of the draft are there", `document.querySelector("#team_assignment-err").hidden`)
	focus("editor, after the matches came")
	b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(2)))
	b.until("the review", `!!document.querySelector("#overlay dialog[open] .checks")`)
	focus("review")
	press("\x1b")
	b.until("Esc closes it", `!document.querySelector("#overlay dialog")`)
	focus("editor, after the review closed")
	b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(2)))
	b.until("the review again", `!!document.querySelector("#overlay dialog[open] .checks")`)
	tabTo("review", `document.activeElement.id === "why"`)
	press("made with the keyboard")
	tabTo("review", `document.activeElement.matches("#overlay [data-do]")`)
	press("\r")
	b.until("saved", `/^\/rules\/\d+$/.test(location.pathname) && document.querySelector("#toasts")?.innerText.includes("created")`)
	tabTo("toast", `document.activeElement.closest("#toasts")`)
	b.sound("keyboard")
}

// phonesAreEnough: the same way on a phone: what a finger presses is large enough, and nothing scrolls sideways.
func phonesAreEnough(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("light", 390)
	const small = `[...document.querySelectorAll("button, summary, select, textarea, input:not([type=hidden]), a.btn, .tabs a, .choice, .chip, nav a")].filter(e => {
		const shape = e.matches("[type=radio], [type=checkbox]") ? e.closest("label, .check") || e : e, r = shape.getBoundingClientRect();
		return e.checkVisibility({visibilityProperty: true}) && r.width > 1 && !e.closest("p, .skip") && (!document.querySelector("dialog[open]") || e.closest("dialog[open]")) && r.height < 43.5;
	}).map(e => Math.round(e.getBoundingClientRect().height) + " px: " + e.outerHTML.slice(0, 100))`
	fits := func(where string) {
		t.Helper()
		if wide := get[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s scrolls sideways by %d px", where, wide)
		}
		if low := get[[]string](b, small); len(low) > 0 {
			t.Errorf("%s has targets lower than 44 px:\n%s", where, strings.Join(low, "\n"))
		}
	}
	b.do(chromedp.Navigate(b.url + "/login"))
	fits("login")
	b.logIn("operator")
	fits("overview")
	for _, path := range []string{"/events?q=fate%3Aunhandled", "/events?live=1", "/events?q=fate%3Aunhandled&e=" + sceneEvent(118), "/events/" + sceneEvent(118), "/rules", "/rules?rule=3", "/find?q=edge"} {
		b.do(chromedp.Navigate(b.url + path))
		fits(path)
	}
	b.do(chromedp.Navigate(b.url + "/rules/new?from=" + sceneEvent(115)))
	matchesShown(b)
	fits("editor")
	get[bool](b, `document.querySelector("#review-button").click(); true`)
	b.until("the review is open", `!!document.querySelector("#overlay dialog[open] .checks")`)
	fits("review")
	b.sound("phone")
}

// doorsHold: a login leads to this server only and has a session of its own, a logout reaches the other tabs, and no site frames a page.
func doorsHold(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.do(chromedp.Navigate(b.url+"/login"), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: httpserver.SessionCookie, Value: "planted", URL: b.url + "/"})
		return err
	}))
	b.logIn("viewer")
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		has, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{})
		for _, k := range has.Cookies {
			if k.Name == httpserver.SessionCookie && (k.Value == "planted" || !k.HTTPOnly) {
				t.Errorf("the session that was planted is taken over: %+v", k)
			}
		}
		return err
	}))
	second := b.another()
	second.do(chromedp.Navigate(b.url+"/events"), chromedp.Click(".who summary"), chromedp.Click(".menu button"), chromedp.WaitVisible("#key"))
	b.until("the other tab says that the session ended", `document.querySelector("#ended").open`)
	for _, next := range []string{"//evil.example", `/\evil.example`, "javascript:window.owned=1", "https://evil.example/", "/\t/evil.example", "/.//evil.example"} {
		second.do(chromedp.Navigate(b.url+"/login?next="+url.QueryEscape(next)), chromedp.SendKeys("#key", b.keys["viewer"]+"\r"))
		second.until("logged in", `location.pathname !== "/login" && document.readyState === "complete"`)
		if at := get[string](second, `location.origin`); at != b.url || get[bool](second, `!!window.owned`) {
			t.Errorf("next=%q leads to %s", next, at)
		}
		get[bool](second, `fetch("/logout", {method: "POST"}).then(() => true)`)
	}
	second.mu.Lock()
	for _, r := range second.requests {
		if !strings.HasPrefix(r, b.url+"/") && !strings.HasPrefix(r, "data:image") {
			t.Errorf("a request went to %s", r)
		}
	}
	second.mu.Unlock()
	second.logIn("viewer")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<iframe src="%s%s"></iframe>`, b.url, r.URL.Path)
	}))
	t.Cleanup(other.Close)
	for _, path := range []string{"/", "/login", "/rules/new"} {
		second.mu.Lock()
		second.complaints = nil
		second.mu.Unlock()
		second.do(chromedp.Navigate(other.URL + path))
		within(t, func() bool {
			second.mu.Lock()
			defer second.mu.Unlock()
			return slices.ContainsFunc(second.complaints, func(c string) bool {
				return strings.Contains(c, "frame-ancestors") || strings.Contains(c, "X-Frame-Options")
			})
		})
	}
}
