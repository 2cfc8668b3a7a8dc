package ui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/store"
)

// eventually waits until a script returns true.
func (b *tab) eventually(script string) {
	b.Helper()
	for range 2000 {
		if get[bool](b, script) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("not so: %s: %s", script, get[string](b, `document.querySelector("#main").innerText.slice(0, 600) + " state: " + document.querySelector("#live-words").textContent`))
}

// state waits until the top bar says so of the stream.
func (b *tab) state(words string) {
	b.Helper()
	b.eventually(fmt.Sprintf(`document.querySelector("#live-words").textContent.startsWith(%q)`, words))
}

// another opens one more tab of the browser.
func (b *tab) another() *tab {
	b.Helper()
	out := &tab{console: b.console}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithListener(out.listen))
	b.Cleanup(cancel)
	out.ctx = ctx
	return out
}

// overviewIsLive: figures follow the process, pausing stops that, what has not changed is not touched, and what has the focus keeps it.
func overviewIsLive(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	b.state("live")
	b.eventually(`document.querySelector("#verdict").textContent === "Everything works"`)
	get[bool](b, `document.querySelector("#o-books").mark = true`)
	b.do(chromedp.KeyEvent(" "))
	b.state("paused")
	b.health.Store(&Health{Errors: []string{"store: PostgreSQL is unavailable"}})
	b.do(chromedp.KeyEvent(" "))
	b.state("live")
	b.eventually(`document.querySelector("#verdict").textContent === "Store: PostgreSQL is unavailable"`)
	if !get[bool](b, `document.querySelector("#o-books").mark === true`) {
		t.Error("a part that had not changed was replaced")
	}
	b.sound("live")
}

// liveListHoldsStill: judged events come to the top; nothing moves while somebody reads, and what came is counted and shown on demand.
func liveListHoldsStill(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	b.do(chromedp.Navigate(b.url + "/events?live=1&q=host%3Asw-live&range=6h"))
	b.state("live")
	b.eventually(`document.querySelector("#tail-words").textContent === "Every event that fits is shown."`)
	n := 0
	judge := func(host string, count int) {
		t.Helper()
		for range count {
			n++
			b.judge(judgedNow(n, host, fmt.Sprint("message ", n)))
		}
	}
	first := func() string {
		return get[string](b, `document.querySelector("#tail-rows tr .c-msg")?.textContent ?? ""`)
	}
	shown := func(message string) {
		t.Helper()
		b.eventually(fmt.Sprintf(`document.querySelector("#tail-rows tr .c-msg")?.textContent.includes(%q) === true`, message))
	}
	paused := func(newer string) {
		t.Helper()
		b.eventually(fmt.Sprintf(`document.querySelector("#tail-state").textContent.startsWith("Live view is paused") && document.querySelector("#tail-newer").innerText.startsWith(%q)`, newer))
	}
	pointer := func(x, y float64) { b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y)) }
	over := func() {
		at := get[[]float64](b, `(() => { const r = document.querySelector("#tail-rows tr").getBoundingClientRect(); return [r.x + 200, r.y + r.height / 2]; })()`)
		pointer(at[0], at[1])
	}
	judge("other", 1)
	judge("sw-live", 3)
	shown("message 4")
	if all := get[int](b, `document.querySelectorAll("#tail-rows tr").length`); all != 3 {
		t.Errorf("%d rows are shown, of 3 that fit", all)
	}

	over()
	judge("sw-live", 2)
	paused("2 newer events")
	if first() != "message 4" {
		t.Error("a row moved under the pointer")
	}
	b.do(chromedp.KeyEvent("n"))
	shown("message 6")
	judge("sw-live", 1)
	paused("1 newer event")
	pointer(700, 20)
	shown("message 7")
	b.eventually(`document.querySelector("#tail-state").textContent === "Live"`)

	b.do(chromedp.KeyEvent("j"))
	judge("sw-live", 1)
	paused("1 newer event")
	get[bool](b, `document.activeElement.blur(); true`)
	shown("message 8")

	get[bool](b, `getSelection().selectAllChildren(document.querySelector("#tail-rows tr .c-msg")); true`)
	judge("sw-live", 1)
	paused("1 newer event")
	if chosen := get[string](b, `getSelection().toString()`); chosen != "message 8" {
		t.Errorf("the selection is %q", chosen)
	}
	get[bool](b, `getSelection().removeAllRanges(); true`)
	shown("message 9")

	b.do(chromedp.KeyEvent(" "))
	b.state("paused")
	judge("sw-live", 1)
	paused("1 newer event")
	b.do(chromedp.KeyEvent(" "))
	shown("message 10")

	get[bool](b, `document.querySelector("#e-`+judgedNow(10, "sw-live", "").Event.ID.String()+` a").click(); true`)
	b.eventually(`document.querySelector("#peek-title")?.innerText.startsWith("sw-live") === true`)
	for _, kept := range []string{`location.search`, `document.querySelector("#peek [data-shut]").search`} {
		if at := get[string](b, kept); !strings.Contains(at, "range=6h") || !strings.Contains(at, "q=host%3Asw-live") || !strings.Contains(at, "live=1") {
			t.Errorf("an event that came while the list was open is at %s", at)
		}
	}
	get[bool](b, `document.querySelector("#peek [data-shut]").click(); document.activeElement.blur(); true`)

	get[bool](b, `{const t = document.createElement("template"); t.innerHTML = '<p id="tail-words">many</p><table><tbody id="tail-new" data-fit="700">' +
		Array.from({length: 600}, (_, i) => '<tr id="e-z' + (2000 - i) + '"><td>x</td></tr>').join("") + "</tbody></table>";
		document.dispatchEvent(new CustomEvent("live:tail", {detail: t.content, cancelable: true}));} true`)
	if all := get[int](b, `document.querySelectorAll("#tail-rows tr").length`); all != 500 {
		t.Errorf("%d rows are kept", all)
	}
	get[bool](b, `scrollTo(0, 2000); true`)
	b.eventually(`document.querySelector("#tail-state").textContent.includes("paused")`)

	b.do(chromedp.Navigate(b.url + "/events?live=1"))
	b.state("live")
	b.eventually(`document.querySelector("#tail-words").textContent !== ""`)
	b.flood(60)
	b.eventually(`/^(1\d|20) of 61 per second are shown, spread over all hosts/.test(document.querySelector("#tail-words").textContent)`)
	if !get[bool](b, `document.querySelector("#tail-rows").innerText.includes("one quiet line")`) {
		t.Error("a host with one event is lost in a flood of another's")
	}
	width := func() float64 {
		return get[float64](b, `document.querySelector("#pulse").getBoundingClientRect().width`)
	}
	before, away := width(), error(fault.New(fault.StoreUnavailable, "PostgreSQL is unavailable"))
	b.folded.Store(&away)
	b.eventually(`document.querySelector("#pulse").innerText.includes("Store unavailable")`)
	if now := width(); now != before {
		t.Errorf("the pulse was %v px wide and is %v px wide while the store is unavailable", before, now)
	}
	b.sound("live list")
}

// flood judges so many events of one host at once, and one of another.
func (c *console) flood(n int) {
	c.Helper()
	rows := []store.AuditRow{judgedNow(500, "quiet", "one quiet line")}
	for i := range n {
		rows = append(rows, judgedNow(501+i, "busy", "again"))
	}
	c.judge(rows...)
}

// pagesOutliveTheServer: an open page says that it is stale while the server is gone, goes on by itself when it is back on the same port, and
// says when the session has ended. After a login by the same person it is live again.
func pagesOutliveTheServer(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("light", 1440)
	b.logIn("operator")
	b.do(chromedp.Navigate(b.url + "/events?live=1"))
	b.state("live")
	get[bool](b, `window.mark = true`)
	b.sound("before")
	addr := strings.TrimPrefix(b.url, "http://")
	if err := b.server.Stop(b.Context()); err != nil {
		t.Fatal(err)
	}
	b.state("stale for ")
	b.eventually(`document.querySelector("#main").classList.contains("stale") && document.querySelector("#pulse").classList.contains("stale")`)
	b.judge(judgedNow(1, "sw-live", "judged meanwhile"))
	b.serve(addr)
	b.state("live")
	b.eventually(`document.querySelector("#tail-rows").innerText.includes("judged meanwhile")`)
	b.judge(judgedNow(2, "sw-live", "judged afterwards"))
	b.eventually(`document.querySelector("#tail-rows").innerText.includes("judged afterwards")`)
	if !get[bool](b, `window.mark === true && !document.querySelector("#main").classList.contains("stale")`) {
		t.Error("the page was loaded again, or is stale")
	}
	b.do(chromedp.Navigate(b.url + "/events?live=1"))
	b.state("live")
	get[bool](b, `window.mark = true; fetch("/logout", {method: "POST"}).then(() => true)`)
	b.state("logged out")
	b.eventually(`document.querySelector("#ended").open`)
	b.judge(judgedNow(3, "sw-live", "judged while logged out"))
	b.do(chromedp.SendKeys("#ended-key", b.keys["operator"]+"\r"))
	b.state("live")
	b.judge(judgedNow(4, "sw-live", "judged after the login"))
	for _, message := range []string{"judged while logged out", "judged after the login"} {
		b.eventually(`document.querySelector("#tail-rows").innerText.includes("` + message + `") && window.mark === true`)
	}
}

// tabsShareStreams: of ten tabs over plain HTTP four have streams and the others poll; all are fed. A tab that is hidden gives up its stream,
// which another one takes.
func tabsShareStreams(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	site := strings.Replace(b.url, "127.0.0.1", plainHost, 1)
	b.do(chromedp.Navigate(site+"/login"), chromedp.SendKeys("#key", b.keys["viewer"]+"\r"), chromedp.WaitVisible("#verdict"))
	if get[bool](b, `isSecureContext`) {
		t.Fatal("the context is secure: this test is about one that is not")
	}
	b.do(chromedp.Navigate("about:blank"))
	tabs := make([]*tab, 10)
	for i := range tabs {
		tabs[i] = b.another()
		tabs[i].do(chromedp.Navigate(site + "/events?live=1&q=host%3Asw-live"))
		if i < 4 {
			tabs[i].state("live")
		} else {
			tabs[i].state("every 5 s")
		}
	}
	if n := b.streams.Load(); n != 4 {
		t.Errorf("%d streams are open", n)
	}
	b.judge(judgedNow(1, "sw-live", "for all tabs"))
	for _, each := range tabs {
		each.eventually(`document.querySelector("#tail-rows").innerText.includes("for all tabs")`)
	}
	hide := func(state string) {
		get[bool](tabs[0], fmt.Sprintf(`Object.defineProperty(document, "visibilityState", {value: %q, configurable: true}); document.dispatchEvent(new Event("visibilitychange")); true`, state))
	}
	hide("hidden")
	tabs[0].eventually(`Object.keys(localStorage).filter(k => k.startsWith("mutt_live_")).length < 10`)
	within(t, func() bool {
		n := 0
		for _, each := range tabs[1:] {
			if get[string](each, `document.querySelector("#live-words").textContent`) == "live" {
				n++
			}
		}
		return n == 4 && b.streams.Load() == 4
	})
	b.judge(judgedNow(2, "sw-live", "while it was hidden"))
	tabs[1].eventually(`document.querySelector("#tail-rows").innerText.includes("while it was hidden")`)
	if get[bool](tabs[0], `document.querySelector("#tail-rows").innerText.includes("while it was hidden")`) {
		t.Error("a hidden tab is fed")
	}
	hide("visible")
	tabs[0].eventually(`document.querySelector("#tail-rows").innerText.includes("while it was hidden")`)
}

// within waits until a condition holds.
func within(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("the condition never held")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
