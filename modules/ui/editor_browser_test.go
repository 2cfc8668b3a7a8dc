package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
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
		// A page that is on its way has nothing yet, and one that goes away while it is asked has not answered.
		if so, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("try { !!("+script+") } catch { false }")); err == nil && so {
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
	b.do(chromedp.Click("#review-button"))
	b.until("the review is open", `!!document.querySelector("#overlay dialog[open] .checks")`)
}

// rulesAreMade: from an unhandled event to a rule and back, with the keyboard; another one's change in between; a draft that is left.
func rulesAreMade(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.logIn("operator")
	b.do(chromedp.Navigate(b.url + "/rules/new?from=" + sceneEvent(118)))
	b.until("the matches are shown", `!!document.querySelector("#matches tbody tr")`)
	if got := get[string](b, `document.querySelector("#match_string").value + " " + document.querySelector("#matches").innerText`); !strings.Contains(got, "%SFF8472-3-THRESHOLD_VIOLATION ") || !strings.Contains(got, "mx-par-1") {
		t.Errorf("the draft and its matches: %s", got)
	}
	get[bool](b, `document.querySelector("#matches tbody tr").focus(); true`)
	b.do(chromedp.KeyEvent("p"))
	b.until("the example is there once", `document.querySelectorAll("[name=example]:not([type=hidden])").length === 1 && document.querySelector("#pinned").textContent !== ""`)
	ctrlEnter := func() { // 2 is the bit of Ctrl
		b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(2)))
	}
	ctrlEnter()
	b.until("a field that is missing is named where it stands, and has the focus", `document.querySelector("#team_assignment-err").textContent.includes("Is required") &&
		document.querySelector("#team_assignment").getAttribute("aria-invalid") === "true" && document.activeElement.id === "team_assignment"`)
	b.do(chromedp.KeyEvent("NETO"))
	b.until("the error goes", `document.querySelector("#team_assignment-err").hidden`)
	ctrlEnter()
	b.until("the review opens", `!!document.querySelector("#overlay dialog[open] .checks")`)
	if said := get[string](b, `document.querySelector("#overlay").innerText`); !strings.Contains(said, "120 events of 24 h") || !strings.Contains(said, "unhandled") || !strings.Contains(said, "No rule becomes unreachable") {
		t.Errorf("the review says %s", said)
	}
	b.do(chromedp.Focus("#why"), chromedp.KeyEvent("no"))
	ctrlEnter()
	b.do(chromedp.KeyEvent("ise from optics, INC-88121"))
	ctrlEnter()
	b.until("the rule is saved, and a toast says so", `!!(/^\/rules\/\d+$/.test(location.pathname) && document.querySelector("#toasts")?.innerText.includes("SFF8472-3-THRESHOLD_VIOLATION created"))`)
	made := get[string](b, `location.pathname`)
	b.do(chromedp.Click("#toasts button"))
	b.until("undone", `!!(location.pathname === "/rules" && document.querySelector("#toasts")?.innerText.includes("SFF8472-3-THRESHOLD_VIOLATION deleted"))`)
	if status := b.console.get(b.session("viewer"), made).status; status != 404 {
		t.Errorf("%s is still there: %d", made, status)
	}

	b.do(chromedp.Navigate(b.url + "/rules/1"))
	matchesShown(b)
	b.changeRule(1, func(r *rule.Rule) { r.TeamAssignment = "OTHERS" })
	b.do(chromedp.Focus("#priority"), chromedp.KeyEvent("5"))
	ctrlEnter()
	b.until("both versions are shown", `!!(document.querySelector("#overlay dialog[open]")?.innerText.includes("OTHERS"))`)
	ctrlEnter()
	b.until("mine goes on top, after a review", `!!document.querySelector("#overlay dialog[open] .checks")`)
	b.do(chromedp.Focus("#why"), chromedp.KeyEvent("both are wanted"))
	ctrlEnter()
	b.until("saved", `!!(document.querySelector("#toasts")?.innerText.includes("saved"))`)
	if r, err := b.store.RuleByID(t.Context(), 1); err != nil || r.TeamAssignment != "OTHERS" || r.Priority != 15 && r.Priority != 51 {
		t.Errorf("the rule is %+v, %v", r, err)
	}
	b.mu.Lock()
	b.complaints = nil // the browser logs the refusals
	b.mu.Unlock()

	b.do(chromedp.Focus("#host_pattern"), chromedp.KeyEvent("left"))
	b.do(chromedp.KeyEvent("\x1b"))
	if asks := get[bool](b, `!dispatchEvent(new Event("beforeunload", {cancelable: true}))`); !asks {
		t.Error("a draft is left without asking")
	}
	kept := get[string](b, `JSON.stringify({...sessionStorage})`)
	if !strings.Contains(kept, "left") || strings.Contains(kept, "CSRF") {
		t.Errorf("kept in the tab: %s", kept)
	}
	b.sound("editor")
}

// changeRule changes a stored rule as somebody else.
func (c *console) changeRule(id int64, change func(*rule.Rule)) {
	c.Helper()
	_, err := c.store.Change(c.Context(), store.Actor{Name: "key:tomas"}, "", func(tx *store.Tx) error {
		r, err := tx.Rule(id)
		if err != nil {
			return err
		}
		change(&r)
		return tx.UpdateRule(r)
	})
	if err != nil {
		c.Fatal(err)
	}
}
