package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a tab of a real browser, with what the browser complained of and asked for.
type tab struct {
	*console
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	requests   []string
}

// newTab opens a tab of its own browser. Without one installed the test is skipped, unless the tests must not do without.
func (c *console) newTab() *tab {
	c.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("MUTT_TEST_REQUIRE") == "1" {
			c.Fatal("chromium is not installed: run .ci/install")
		}
		c.Skip("chromium is not installed")
	}
	b := &tab{console: c}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("force-prefers-reduced-motion", true), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("host-resolver-rules", "MAP "+plainHost+" 127.0.0.1"))
	allocated, end := chromedp.NewExecAllocator(c.Context(), options...)
	ctx, done := chromedp.NewContext(allocated, chromedp.WithListener(b.listen))
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	c.Cleanup(func() { cancel(); done(); end() })
	b.ctx = ctx
	return b
}

func (b *tab) listen(ev any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text+" "+thrown(e))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// get returns what a script returns.
func get[T any](b *tab, script string) T {
	b.Helper()
	out, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.80s: %v", script, err)
	}
	return out
}

// look sets the theme that the browser prefers and the width of the window.
func (b *tab) look(theme string, width int64) {
	b.Helper()
	height := int64(900)
	if width < 721 {
		height = 844
	}
	b.do(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	}))
}

// logIn logs in through the page, as a person does.
func (b *tab) logIn(role string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url+"/login"), chromedp.SendKeys("#key", "  "+b.keys[role]+" \r"), chromedp.WaitVisible("#verdict"))
}

// sound fails the test when the browser complained, or asked another host.
func (b *tab) sound(where string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.Errorf("%s: the browser says: %s", where, c)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, b.url+"/") && !strings.HasPrefix(r, "data:") {
			b.Errorf("%s: a request went to %s", where, r)
		}
	}
	b.complaints = nil
}

// view is a page that the checks and the screenshots go through.
type view struct {
	name, path string
	act        func(b *tab) // what a person does there; nil for looking
}

func views() []view {
	return []view{
		{name: "overview", path: "/"},
		{name: "events", path: "/events"},
		{name: "events-filtered", path: "/events?" + url.Values{"q": {"host:edge-fra-1"}, "range": {"1h"}, "e": {idAt(sceneTime().Add(-135*time.Second).Add(264*time.Millisecond), 115).String()}}.Encode()},
		{name: "events-live", path: "/events?live=1", act: func(b *tab) { b.eventually(`document.querySelector("#tail-words").textContent !== ""`) }},
		{name: "events-empty", path: "/events?q=host%3Aedge-fra-3+fate%3Asilenced"},
		{name: "events-refused", path: "/events?q=host%3A"},
		{name: "passport", path: "/events/" + forwardedID()},
		{name: "find", path: "/find?q=edge"},
		{name: "find-below", path: "/events", act: func(b *tab) {
			get[bool](b, `{const i = document.querySelector("#find"); !i.offsetParent || (i.focus(), i.value = "edge", htmx.ajax("GET", "/find?q=edge", {target: "#find-list", source: i}).then(() => true))}`)
		}},
		{name: "session-ended", path: "/events/" + forwardedID(), act: func(b *tab) {
			get[bool](b, `document.querySelector("#ended").showModal(), true`)
		}},
		{name: "passport-attack", path: "/events/" + attackID() + "?now=1"},
		{name: "passport-unknown-refused", path: "/events/01a22a69-5616-797d-a284-9d73eb438a90"},
		{name: "rules", path: "/rules"},
		{name: "rules-peek", path: "/rules?rule=3"},
		{name: "rules-none", path: "/rules?q=nothing+has+this"},
		{name: "rule-new", path: "/rules/new?from=" + sceneEvent(118), act: matchesShown},
		{name: "rule-edit", path: "/rules/1", act: matchesShown},
		{name: "rule-review", path: "/rules/new?from=" + sceneEvent(115), act: reviewShown},
		{name: "components", path: "/components"},
		{name: "docs", path: "/docs"},
	}
}

// each calls f for every page, theme and width: the login first, then the pages of a reader.
func (b *tab) each(f func(name string)) {
	b.Helper()
	widths := []int64{1440, 390}
	through := func(v view) {
		for _, theme := range []string{"dark", "light"} {
			for _, width := range widths {
				b.look(theme, width)
				b.do(chromedp.Navigate(b.url + v.path))
				if v.act != nil {
					v.act(b)
				}
				f(fmt.Sprintf("%s-%d-%s", v.name, width, theme))
			}
		}
	}
	through(view{name: "login", path: "/login"})
	through(view{name: "login-ended", path: "/login?ended=1"})
	through(view{name: "login-refused", path: "/login", act: func(b *tab) {
		b.do(chromedp.SendKeys("#key", b.keys["viewer"][:40]+"\r"), chromedp.WaitVisible("#key-error"))
	}})
	b.logIn("operator")
	for _, v := range views() {
		through(v)
	}
}

// TestBrowser looks at the pages in a real browser, one at a time: a browser keeps the processors busy.
func TestBrowser(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T){"accessible": pagesAreAccessible, "widths": pagesFitTheirWidth, "login": peopleLogIn, "once": linkLogsIn, "sessions": sessionsEnd, "find": findByKeyboard, "keys": keysAct,
		"theme": themeStays, "rules": rulesInABrowser, "search": searchInABrowser, "attacks": attacksRunNowhere, "charts": chartsAreUsed,
		"live": overviewIsLive, "live-list": liveListHoldsStill, "live-restart": pagesOutliveTheServer, "live-tabs": tabsShareStreams,
		"rules-changed": rulesChangeFromTheList, "unscripted": pagesWithoutScripts, "editor": rulesAreMade,
		"hostile": nothingHostileRuns, "outages": outagesLoseNothing, "keyboard": keysAreEnough, "phone": phonesAreEnough, "doors": doorsHold} {
		t.Run(name, test)
	}
}

// pagesAreAccessible runs axe-core on every page in both themes and two widths; the browser complains of nothing, asks no other
// host, and no page scrolls sideways.
func pagesAreAccessible(t *testing.T) {
	t.Helper()
	b := newScene(t, Health{}, troubled()).newTab()
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.js"))
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	b.each(func(name string) {
		looked++
		if refused := strings.Contains(name, "-refused"); !refused { // the browser logs the status of a page that is refused
			b.sound(name)
		}
		if wide := get[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s scrolls sideways by %d px", name, wide)
		}
		if lost := get[[]string](b, `[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href")).filter(h => h.startsWith("#") && h.length > 1 && !document.getElementById(h.slice(1)))`); len(lost) > 0 {
			t.Errorf("%s links to %q, which is not there", name, lost)
		}
		// Chromium reports the shift of a layout to three decimals: what is less is 0.
		if shifts := get[[]string](b, `new Promise(done => { const out = []; let sum = 0; new PerformanceObserver(list => list.getEntries().forEach(e => { sum += e.value; out.push(e.value + " at " + Math.round(e.startTime) + " ms: " + e.sources.map(s => s.node && (s.node.id || s.node.outerHTML || s.node.data || "").slice(0, 80)).join(", ")); })).observe({type: "layout-shift", buffered: true}); setTimeout(() => done(sum < 0.0005 ? [] : out), 30); })`); len(shifts) > 0 {
			t.Errorf("%s: its layout shifts: %q", name, shifts)
		}
		get[bool](b, string(axe)+";true")
		var violations []struct {
			ID, Help string
			Nodes    []struct{ HTML, FailureSummary string }
		}
		report := get[string](b, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))}))))`)
		if err := json.Unmarshal([]byte(report), &violations); err != nil {
			t.Fatal(err)
		}
		for _, v := range violations {
			t.Errorf("%s: %s: %s: %d times, first %.200s %.300s", name, v.ID, v.Help, len(v.Nodes), v.Nodes[0].HTML, v.Nodes[0].FailureSummary)
		}
		b.mu.Lock()
		b.complaints = nil
		b.mu.Unlock()
	})
	if looked < 30 {
		t.Errorf("only %d pages were looked at", looked)
	}
}

// pagesFitTheirWidth: no page scrolls sideways from 360 px on, at each side of the layouts' bounds.
func pagesFitTheirWidth(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{Errors: []string{strings.Repeat("long", 60)}}).newTab()
	b.look("light", 1440)
	b.logIn("admin")
	for _, v := range append(views(), view{name: "login", path: "/login"}) {
		b.do(chromedp.Navigate(b.url + v.path))
		for _, width := range []int64{360, 720, 721, 1180, 1181, 1600} {
			b.look("light", width)
			if wide := get[int](b, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
				t.Errorf("%s scrolls sideways by %d px at %d", v.name, wide, width)
			}
		}
	}
}

// TestScreenshots writes every page into the directory MUTT_SCREENSHOTS, for people: 'make screenshots'.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MUTT_SCREENSHOTS")
	if dir == "" {
		t.Skip("for people: make screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := newScene(t, Health{}, troubled()).newTab()
	b.each(func(name string) {
		shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if strings.HasPrefix(name, "components") {
			shot, err = chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
}

// peopleLogIn: a person of each role logs in with the keyboard, a wrong key is refused where it stands, and the session ends.
func peopleLogIn(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.do(chromedp.Navigate(b.url+"/events?q=host%3Aedge-fra-1"), chromedp.WaitVisible("#key"))
	if focus := get[string](b, `document.activeElement.id`); focus != "key" {
		t.Errorf("the focus is on %q", focus)
	}
	b.do(chromedp.SendKeys("#key", b.keys["viewer"][:40]+"\r"), chromedp.WaitVisible("#key-error"))
	if why := get[string](b, `document.querySelector("#key-error").textContent`); !strings.Contains(why, "40 of 63 characters") {
		t.Errorf("refused with %q", why)
	}
	b.mu.Lock()
	b.complaints = nil // the browser logs the 401
	b.mu.Unlock()
	for _, role := range []string{"viewer", "operator", "admin"} {
		b.do(chromedp.SendKeys("#key", "  "+b.keys[role]+" \r"), chromedp.WaitVisible("#main"))
		if said := get[string](b, `document.querySelector(".who summary").innerText`); !strings.Contains(said, role) {
			t.Errorf("%s is %q", role, said)
		}
		if role == "viewer" {
			if at := get[string](b, `location.pathname + location.search`); at != "/events?q=host%3Aedge-fra-1" {
				t.Errorf("back at %s", at)
			}
		}
		if cookie := get[string](b, `document.cookie`); strings.Contains(cookie, "session") {
			t.Errorf("scripts see the session: %s", cookie)
		}
		b.do(chromedp.Click(".who summary"), chromedp.Click(".menu button"), chromedp.WaitVisible("#key"))
	}
	b.sound("login")
}

// keysAct: pages are used by the keyboard alone, keys rest while a field has the focus, and can be switched off.
func keysAct(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("light", 1440)
	b.logIn("operator")
	press := func(keys string) { b.do(chromedp.KeyEvent(keys)) }
	until := func(what, script string) {
		t.Helper()
		for range 200 {
			if get[bool](b, script) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: not so at %s", what, get[string](b, `location.href + " focus " + document.activeElement.outerHTML.slice(0, 80)`))
	}
	press("\t\r")
	until("the skip link leads to the content", `location.hash === "#main"`)
	press("ge")
	until("g e goes to Events", `location.pathname === "/events" && document.readyState === "complete"`)
	press("jjk\r")
	until("j, k and Enter open the first event", `!!document.querySelector("#peek-title") && document.readyState === "complete"`)
	until("the row is marked", `!!document.querySelector("tbody tr:first-child[aria-current]")`)
	b.do(chromedp.KeyEvent("\x1b"))
	until("Esc closes it", `!document.querySelector("#peek-title") && document.readyState === "complete"`)
	press("]")
	until("] takes the longer range", `location.search.includes("range=6h") && document.readyState === "complete"`)
	press("f")
	until("f goes to the filter", `document.activeElement.id === "query"`)
	press("gofate:unhandled\r")
	until("keys are text in a field", `location.search.includes("gofate%3Aunhandled") && document.readyState === "complete"`)
	press("?")
	until("? shows the keys", `document.querySelector("#keys").open`)
	b.do(chromedp.Click("#single"))
	b.do(chromedp.KeyEvent("\x1b"))
	until("Esc closes the sheet", `!document.querySelector("#keys").open`)
	get[bool](b, `addEventListener("keydown", (event) => { window.acted ||= event.defaultPrevented; window.last = event.key; }); true`)
	press("go")
	until("keys are off", `window.last === "o" && !window.acted && location.pathname === "/events"`)
	b.sound("keys")
}

// themeStays: the switch holds on the next page, without a flash, because the server knows it.
func themeStays(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	colour := func() string { return get[string](b, `getComputedStyle(document.body).backgroundColor`) }
	if colour() != "rgb(12, 19, 21)" {
		t.Errorf("dark as the browser wants it: %s", colour())
	}
	b.do(chromedp.Click("#theme"))
	if colour() != "rgb(244, 243, 238)" {
		t.Errorf("after the switch: %s", colour())
	}
	b.do(chromedp.Navigate(b.url + "/events"))
	if theme := get[string](b, `document.documentElement.dataset.theme`); theme != "light" || colour() != "rgb(244, 243, 238)" {
		t.Errorf("on the next page: %s %s", theme, colour())
	}
	b.sound("theme")
}

// attacksRunNowhere: what a device or user wrote runs nowhere, and an inline script would be stopped.
func attacksRunNowhere(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{Warnings: []string{attack}}).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	for _, path := range []string{"/", "/events", "/events?q=" + url.QueryEscape(`x"><script>document.title='owned'</script>`), "/login?next=" + url.QueryEscape(`/"><script>document.title='owned'</script>`)} {
		b.do(chromedp.Navigate(b.url + path))
		if title := get[string](b, `document.title`); !strings.HasSuffix(title, "· MUTT") {
			t.Errorf("%s: a script ran: %s", path, title)
		}
		if images := get[int](b, `document.querySelectorAll("img").length`); images > 0 {
			t.Errorf("%s has %d images of others", path, images)
		}
	}
	b.sound("attacks")
	get[bool](b, `{const s = document.createElement("script"); s.textContent = "document.title='owned'"; document.body.append(s); document.body.setAttribute("style", "color: red"); true}`)
	if title := get[string](b, `document.title`); title == "owned" {
		t.Error("the policy lets an inline script run")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.complaints) == 0 {
		t.Error("a violation of the policy is not noticed by these tests")
	}
}

// thrown returns what an exception says of itself.
func thrown(e *runtime.EventExceptionThrown) string {
	if e.ExceptionDetails.Exception == nil {
		return ""
	}
	return e.ExceptionDetails.Exception.Description
}
