package ui

import (
	"testing"
	"time"

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
