package ui

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/platform/rule"
)

// rulesInABrowser: the list is used by the keyboard alone, one rule stands beside it, on a phone the table is a list, and what a person
// wrote into a rule runs nowhere.
func rulesInABrowser(t *testing.T) {
	t.Helper()
	c := newEmptyConsole(t, Health{})
	scene := append(sceneRules(), rule.Rule{Name: markup, Description: markup, MatchString: markup, TeamAssignment: markup, ProdHandling: "Ignore", DevHandling: "Ignore", Priority: 2, IsActive: true,
		Examples: &rule.Examples{Matches: []string{markup}}})
	addRules(t, c.store, scene)
	b := c.newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	press := func(keys string) { b.do(chromedp.KeyEvent(keys)) }
	until := func(what, script string) {
		t.Helper()
		for range 300 {
			if get[bool](b, `document.readyState === "complete" && !!(`+script+`)`) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s: not so at %s", what, get[string](b, `location.href + " focus " + document.activeElement.outerHTML.slice(0, 80)`))
	}
	press("gr")
	until("g r goes to Rules", `location.pathname === "/rules"`)
	press("jj\r")
	until("j and Enter open the second rule", `document.querySelector("#peek-title")?.textContent.startsWith("<img") && document.querySelector("tbody tr:nth-child(2)[aria-current]")`)
	press("j\r")
	until("j goes on from the rule that is shown", `document.querySelector("#peek-title")?.textContent === "hardware failure"`)
	press("k\r")
	until("k goes back", `document.querySelector("#peek-title")?.textContent.startsWith("<img")`)
	b.do(chromedp.Click(".peek summary"))
	until("the definition as a file", `document.querySelector(".peek pre").innerText.includes("match_string")`)
	if title := get[string](b, `document.title`); title != "Rules · MUTT" {
		t.Errorf("a script of a rule ran: %s", title)
	}
	if images := get[int](b, `document.querySelectorAll("main img").length`); images > 0 {
		t.Errorf("%d images of others", images)
	}
	press("\x1b")
	until("Esc closes it", `!document.querySelector("#peek-title")`)
	press("f")
	until("f goes to the filter", `document.activeElement.id === "query"`)
	get[bool](b, `document.activeElement.value = ""; true`) // chromedp sends the letter after the key, whoever has taken it
	press("stack\r")
	until("the text filters", `location.search.includes("q=stack") && document.querySelectorAll("tbody tr").length === 2`)
	b.do(chromedp.Click(`.choice[href*="shadowed"]`))
	until("the choice keeps the text", `location.search.includes("q=stack") && document.querySelector("tbody").innerText.includes("stack power low")`)
	press("j\r")
	until("the rule says what shadows it", `document.querySelector(".peek .note")?.innerText.includes("stack power is tried first")`)
	b.do(chromedp.Click(".peek .note a"))
	until("the link leads there", `document.querySelector("#peek-title")?.textContent === "stack power"`)

	b.look("light", 390)
	b.do(chromedp.Navigate(b.url + "/rules"))
	for what, script := range map[string]string{
		"sideways scroll":               `document.documentElement.scrollWidth > innerWidth`,
		"a head of a table":             `document.querySelector(".rules thead").getBoundingClientRect().height > 1`,
		"a name beside its expression":  `[...document.querySelectorAll("tbody tr")].some(r => r.querySelector(".c-name").getBoundingClientRect().bottom > r.querySelector(".c-match").getBoundingClientRect().top + 1)`,
		"a choice too small to touch":   `[...document.querySelectorAll(".choice")].some(a => a.getBoundingClientRect().height < 44)`,
		"a row that is cut off at left": `[...document.querySelectorAll("tbody td, tbody th")].some(x => x.offsetParent && x.getBoundingClientRect().right > innerWidth)`,
	} {
		if get[bool](b, script) {
			t.Errorf("on a phone there is %s", what)
		}
	}
	b.sound("rules")
}

// rulesChangeFromTheList: an operator moves, switches off and deletes rules where they stand; the review comes first, and nothing is done
// without it.
func rulesChangeFromTheList(t *testing.T) {
	t.Helper()
	c := newEmptyConsole(t, Health{})
	ids := addRules(t, c.store, sceneRules())
	b := c.newTab()
	b.look("dark", 1440)
	b.logIn("operator")
	visit := func(path string) { b.do(chromedp.Navigate(b.url + path)) }
	stored := func(name string) (rule.Rule, bool) {
		t.Helper()
		all, err := c.store.Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(r rule.Rule) bool { return r.ID == ids[name] })
		if i < 0 {
			return rule.Rule{}, false
		}
		return all[i], true
	}
	const open = `!!document.querySelector("#overlay dialog[open] textarea, #overlay dialog[open] [name=reason]")`
	save := func(why string) {
		t.Helper()
		b.until("the review asks why", open)
		get[bool](b, `window.before = true`)
		b.do(chromedp.SendKeys("#overlay [name=reason]", why), chromedp.Click("#overlay [data-do]"))
		b.until("saved, and back in the list", `!window.before && location.search.includes("saved=") && document.readyState === "complete"`)
	}
	visit("/rules")
	b.do(chromedp.KeyEvent("jj"), chromedp.KeyEvent("J"))
	b.until("Shift J on a row opens the review", open)
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("Esc closes it", `!document.querySelector("#overlay dialog") && document.activeElement.textContent === "hardware failure"`)
	if r, _ := stored("hardware failure"); r.Priority != 5 {
		t.Errorf("it moved to %d without a reason", r.Priority)
	}
	b.do(chromedp.KeyEvent("J"))
	save("UPS first")
	if r, _ := stored("hardware failure"); r.Priority != 8 { // between UPS on battery, 6, and BGP neighbor lost, 10
		t.Errorf("hardware failure moved to %d", r.Priority)
	}
	b.until("the rule stands beside the list", `document.querySelector("#peek-title").textContent === "hardware failure"`)
	b.do(chromedp.KeyEvent("K"))
	save("and back again")
	if r, _ := stored("hardware failure"); r.Priority != 3 { // between maintenance edge-ams, 1, and UPS on battery, 6
		t.Errorf("hardware failure moved to %d", r.Priority)
	}
	press := func(label string) {
		t.Helper()
		b.until("there is "+label, `[...document.querySelectorAll(".peek button")].some(x => x.innerText.includes("`+label+`"))`)
		get[bool](b, `[...document.querySelectorAll(".peek button")].find(x => x.innerText.includes("`+label+`")).click(); true`)
	}
	press("Switch off")
	save("noisy this week")
	if r, _ := stored("hardware failure"); r.IsActive {
		t.Error("it is not switched off")
	}
	press("Switch on")
	save("wanted all the same")
	if r, _ := stored("hardware failure"); !r.IsActive {
		t.Error("it is not switched on")
	}
	visit("/rules?rule=" + fmt.Sprint(ids["temporary audit"]))
	press("Delete")
	save("it has ended")
	if _, there := stored("temporary audit"); there {
		t.Error("it is not deleted")
	}
	b.until("the list is without it", `!document.querySelector("tbody").innerText.includes("temporary audit")`)
	b.sound("changes from the list")
}

// pagesWithoutScripts: with scripts switched off every page still has its content, and shows nothing that only a script could do.
func pagesWithoutScripts(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("light", 1440)
	b.logIn("operator")
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	for _, v := range views() {
		if v.name == "components" || v.name == "docs" { // the components page shows parts without their pages
			continue
		}
		b.do(chromedp.Navigate(b.url + v.path))
		if words := get[int](b, `document.querySelector("main").innerText.split(/\s+/).length`); words < 15 {
			t.Errorf("%s: only %d words are there", v.name, words)
		}
		if !get[bool](b, `document.querySelector("h1").checkVisibility()`) {
			t.Errorf("%s has no heading", v.name)
		}
		if get[bool](b, `!!document.querySelector("main noscript")`) { // which says what needs scripts
			continue
		}
		for _, idle := range get[[]string](b, `[...document.querySelectorAll("button, input, select, textarea")].filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest("form[action], [data-copy], [popovertarget], dialog")).map(e => e.outerHTML.slice(0, 120))`) {
			t.Errorf("%s: without scripts this does nothing: %s", v.name, idle)
		}
	}
}
