package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// searchInABrowser: hosts are completed, conditions go by the keyboard, one event stands beside the list without a new page, dragging over the
// histogram sets the range, and what devices wrote stays text.
func searchInABrowser(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	press := func(keys string) { b.do(chromedp.KeyEvent(keys)) }
	until := func(what, script string) {
		t.Helper()
		for range 500 {
			// A page that goes away while it is asked has not answered.
			if so, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.readyState === "complete" && !!(`+script+`)`)); err == nil && so {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: not so at %s", what, get[string](b, `location.href + " focus " + document.activeElement.outerHTML.slice(0, 120)`))
	}
	retype := func(text string) {
		get[bool](b, `document.querySelector("#query").value = ""; true`)
		b.do(chromedp.SendKeys("#query", text))
	}
	b.do(chromedp.Navigate(b.url + "/events?range=24h"))

	// Completion.
	b.do(chromedp.SendKeys("#query", "host:c"))
	until("hosts are completed", `document.querySelectorAll('#words option[data-seen][value="host:core-sw-01"]').length === 1`)
	retype("host:<")
	until("a host with control characters is not offered", `document.querySelectorAll("#words option[data-seen]").length === 0`)
	retype("host:EDGE")
	until("hosts are completed", `document.querySelectorAll('#words option[data-seen][value="host:edge-fra-1"]').length === 1`)
	if odd := get[int](b, `[...document.querySelectorAll("#words option")].filter(o => /[\p{Cc}\p{Cf}]/u.test(o.value)).length`); odd > 0 {
		t.Errorf("%d completions have characters that cannot be searched for", odd)
	}
	retype("host:edge-fra-1 sev:<=6\r")
	until("the conditions are chips", `new URLSearchParams(location.search).get("q") === "host:edge-fra-1 sev:<=6" && document.querySelectorAll(".conditions .chip").length === 2`)
	press("f")
	until("f goes to the field", `document.activeElement.id === "query"`)
	get[bool](b, `document.activeElement.value = ""; true`) // chromedp sends the letter after the key, whoever has taken it
	press("\b")
	until("Backspace takes the last one away", `document.querySelectorAll(".conditions .chip").length === 1 && new URLSearchParams(location.search).get("q") === "host:edge-fra-1"`)
	b.do(chromedp.SendKeys("#query", "host:\r"))
	until("an error stands at its field", `document.querySelector("#query").getAttribute("aria-describedby") === "query-error" && document.querySelector("#query-error").textContent.startsWith("host: needs")`)
	b.mu.Lock()
	b.complaints = nil // the browser logs the 400
	b.mu.Unlock()

	// One event beside the list.
	b.do(chromedp.Navigate(b.url + "/events?range=24h"))
	until("one row is in the order of Tab", `document.querySelectorAll('[data-row][tabindex="0"]').length === 1 && (window.stays = true)`)
	get[bool](b, `document.querySelector(".skip").click(); true`)
	until("the skip link leaves the page as it is", `window.stays && location.hash === "#main"`)
	press("j")
	b.do(chromedp.KeyEvent(kb.ArrowDown)) // down
	until("the arrow goes to the second row", `document.activeElement === document.querySelectorAll("[data-row]")[1] && document.activeElement.tabIndex === 0`)
	press("\r")
	until("Enter opens it without a new page", `window.stays && document.querySelector("#peek .peek")?.dataset.event === new URLSearchParams(location.search).get("e")
		&& document.querySelector("tbody tr:nth-child(2)[aria-current]") && document.activeElement.matches("tr:nth-child(2) *")`)
	if columns := get[string](b, `getComputedStyle(document.querySelector(".rows .c-rule")).display`); columns != "none" {
		t.Errorf("the rule's column is %s beside an event", columns)
	}
	b.do(chromedp.Click("tbody tr:nth-child(4) .c-msg"))
	until("a click on a row opens that one", `window.stays && document.querySelector("tbody tr:nth-child(4)[aria-current]") && location.search.includes(document.querySelector("#peek .peek").dataset.event)`)
	press("\x1b")
	until("Esc closes it, and its row has the focus", `window.stays && !document.querySelector("#peek .peek") && !new URLSearchParams(location.search).has("e") && document.activeElement.matches("tr:nth-child(4) *")`)
	b.do(chromedp.NavigateBack())
	until("back shows it again", `document.querySelector("#peek .peek") && document.querySelector("tbody tr:nth-child(4)[aria-current]")`)
	get[bool](b, `document.querySelector("tbody tr:nth-child(4) [data-row]").focus(); true`)
	press("\r")
	until("Enter on it goes to its page", `location.pathname.startsWith("/events/")`)

	// The histogram.
	b.do(chromedp.Navigate(b.url + "/events?q=host%3Aedge-fra-1&range=1h"))
	press("t")
	until("t opens its table", `document.querySelector(".bars details").open && document.querySelectorAll(".bars tbody tr").length > 20`)
	press("t")
	box := get[[]float64](b, `(r => [r.left, r.top + r.height / 2, r.width])(document.querySelector("#bars").getBoundingClientRect())`)
	mouse := func(kind input.DispatchMouseEventType, x float64) chromedp.Action[chromedp.Void] {
		return chromedp.MouseEvent(kind, x, box[1], chromedp.ButtonType(input.MouseButtonLeft), chromedp.ClickCount(1))
	}
	b.do(mouse(input.DispatchMouseEventTypeMousePressed, box[0]+box[2]/2+1), mouse(input.DispatchMouseEventTypeMouseMoved, box[0]+box[2]*.6), mouse(input.DispatchMouseEventTypeMouseReleased, box[0]+box[2]*.75-1))
	until("dragging sets the range", `location.search.includes("from=2026-11-30T02%3A42%3A44Z") && location.search.includes("to=2026-11-30T02%3A57%3A44Z") && location.search.includes("q=host")`)
	if rows := get[[]string](b, `[...document.querySelectorAll("[data-row]")].map(r => r.textContent)`); len(rows) == 0 || rows[0] > "02:57:44" || rows[len(rows)-1] < "02:42:44" {
		t.Errorf("the range has %v", rows)
	}
	get[bool](b, `document.querySelector("#from").value = "2026-11-30T03:00:00"; document.querySelector("#to").value = "2026-11-30T03:10:00"; true`)
	b.do(chromedp.Click(".own summary"), chromedp.Click(".own .btn.go"))
	until("fields set it too", `location.search.includes("from=2026-11-30T03%3A00&to=2026-11-30T03%3A10") && document.querySelectorAll("[data-row]").length > 0`)

	// On a phone the table is a list, and an open event stands in its place until it is closed.
	b.look("light", 390)
	b.do(chromedp.Navigate(b.url + "/events?e=" + forwardedID()))
	until("the event alone", `document.querySelector("#peek").offsetHeight > 0 && document.querySelector(".rows").offsetParent === null`)
	b.do(chromedp.Click("#peek [data-shut]"))
	until("the list", `document.querySelector(".rows").offsetParent !== null && getComputedStyle(document.querySelector(".rows tbody tr")).display === "grid"`)
	if small := get[[]string](b, `[...document.querySelectorAll("main a, main button, main summary, main input:not([type=hidden])")].filter(e => e.offsetParent && !e.closest("td") && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML.slice(0, 80))`); len(small) > 0 {
		t.Errorf("targets lower than 44 px on a phone: %s", strings.Join(small, "\n"))
	}

	// What a device wrote.
	b.look("dark", 1440)
	b.do(chromedp.Navigate(b.url + "/events?e=" + attackID()))
	until("the attack is shown", `document.querySelector("#peek .code").textContent.startsWith("<img") && document.querySelectorAll("main img").length === 0 && document.title === "Events · MUTT"`)
	b.sound("search")
}
