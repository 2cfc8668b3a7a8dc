package ui

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// sceneEvent returns the id of the n-th event of the scene.
func sceneEvent(n int) string {
	at := sceneTime().Add(-time.Duration(120-n) * 27 * time.Second).Add(time.Duration(n*n%997) * time.Millisecond)
	return idAt(at, n).String()
}

// until waits until a script says so.
func (b *tab) until(what, script string) {
	b.Helper()
	for range 500 {
		if get[bool](b, script) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatalf("%s: not so at %s", what, get[string](b, `location.href + " focus " + document.activeElement.outerHTML.slice(0, 120) + " overlay " + document.querySelector("#overlay").innerText.slice(0, 400)`))
}

func matchesShown(b *tab) {
	b.Helper()
	b.until("the matches are there", `!!document.querySelector("#matches .figures, #matches .note, #matches .dim:not(:has(.js))")`)
}

func reviewShown(b *tab) {
	b.Helper()
	matchesShown(b)
	get[bool](b, `addEventListener("beforeunload", e => e.stopImmediatePropagation(), true); document.querySelector("#team_assignment").value = "NETO"; true`) // the next view comes without asking
	b.do(chromedp.Click("#review-button"))
	b.until("the review is open", `!!document.querySelector("#overlay dialog[open] .checks")`)
}

func rulesAreMade(t *testing.T) {
	t.Helper()
}
