package ui

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chartsAreUsed: the charts are drawn over the server's, looked into by the keyboard and by dragging, and shown as a table; the policy is kept.
func chartsAreUsed(t *testing.T) {
	t.Helper()
	b := newScene(t, Health{}, troubled()).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	until := func(what, script string) {
		t.Helper()
		for range 500 {
			if get[bool](b, script) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: the range is %s", what, get[string](b, `document.querySelector("#o-range").textContent`))
	}
	b.do(chromedp.WaitVisible("[data-strip=out].drawn"))
	until("the last hour is shown", `document.querySelector("#o-range").textContent === "02:12 to 03:12 UTC"`)
	get[bool](b, `document.querySelector("[data-strip=in]").focus(); true`)
	b.do(chromedp.KeyEvent("+"))
	until("+ looks closer", `document.querySelector("#o-range").textContent === "02:27 to 02:57 UTC"`)
	b.do(chromedp.KeyEvent("-"), chromedp.KeyEvent("-"))
	until("− shows more", `document.querySelector("[data-strip=in]").getAttribute("aria-valuetext") === "01:12 to 03:12 UTC"`)
	b.do(chromedp.KeyEvent("\x1b"))
	until("Esc goes back", `document.querySelector("#o-range").textContent === "02:12 to 03:12 UTC"`)
	get[bool](b, `{
		const over = document.querySelector("[data-chart=in] .u-over"), box = over.getBoundingClientRect();
		const at = (type, part, target) => target.dispatchEvent(new MouseEvent(type, {bubbles: true, button: 0, clientX: box.left + part * box.width, clientY: box.top + 20, movementX: 9, view: window}));
		at("mouseenter", 0.25, over); at("mousemove", 0.25, over); at("mousedown", 0.25, over); at("mousemove", 0.5, over); at("mousemove", 0.75, over); at("mouseup", 0.75, document);
	true}`)
	until("dragging looks closer", `document.querySelector("#o-range").textContent === "02:27 to 02:57 UTC"`)
	get[bool](b, `document.activeElement.blur(); true`)
	b.do(chromedp.KeyEvent("t"))
	until("t shows the table", `document.querySelector("#o-table").matches(":popover-open") && document.querySelectorAll("#o-table tbody tr").length === 12`)
	b.sound("charts")
}
