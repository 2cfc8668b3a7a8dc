package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/apiclient"
)

// TestOperatorMakesARule: an operator finds out in a browser why an event of the last minute paged nobody, makes a rule of it, sees what the rule would
// have done, saves it, and finds the next event forwarded.
func TestOperatorMakesARule(t *testing.T) { inBothModes(t, operatorMakesARule) }

func operatorMakesARule(t *testing.T, in mode) {
	m := in.start(t, nil)
	var key apiclient.KeyMade
	m.Change(http.MethodPost, map[string]any{"name": "lena", "role": "operator"}, &key, "keys")
	const host, message = "core-sw-02", "%SFF8472-3-THRESHOLD_VIOLATION: Hu0/1/0: Rx power low warning; Operating value: -12.6 dBm"
	device := func(number int) {
		m.SendSyslog("udp", fmt.Sprintf("<187>1 %s %s optics - - - %s, reading %d", time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"), host, message, number))
	}
	m.SendSyslog("tcp", fmt.Sprintf("<189>1 %s %s sys - - - %%SYS-5-CONFIG_I: Configured from console", time.Now().UTC().Format(time.RFC3339), host))
	device(1)
	m.ExpectAudit(2, url.Values{"hostname": {host}})

	b := newBrowser(t)
	b.do(chromedp.Navigate(m.AdminURL+"/login"), chromedp.SendKeys("#key", key.Secret+"\r"), chromedp.WaitVisible("#main"))

	// The search finds it, and its page says why nobody was paged.
	b.do(chromedp.Navigate(m.AdminURL+"/events"), chromedp.SendKeys("#query", "host:"+host+" fate:unhandled"), chromedp.Click(`form.find button[type="submit"]`))
	b.until("the search finds one event", `location.search.includes("unhandled") && document.querySelectorAll("tbody a[data-row]").length === 1`)
	b.do(chromedp.Click("tbody a[data-row]"), chromedp.WaitVisible("#peek-title"))
	found := m.Audit(url.Values{"hostname": {host}, "fate": {"unhandled"}})[0]
	b.do(chromedp.Navigate(m.AdminURL + "/events/" + found.ID))
	b.until("its page says that no rule matched", `location.pathname.startsWith("/events/") && /no rule matche[ds]/i.test(document.querySelector("#main").innerText)`)

	// A rule is made of it.
	b.do(chromedp.Click(`a[href^="/rules/new?"]`), chromedp.WaitVisible("#rule"))
	b.until("the editor shows what matches", `!!document.querySelector("#matches .figures")`)
	b.fill("name", "optics degraded")
	b.fill("match_string", "SFF8472-3-THRESHOLD_VIOLATION")
	b.fill("team_assignment", "NETO")
	b.do(chromedp.Click(`label:has(input[name="match_type"][value="contains"])`), chromedp.Click(`label:has(input[name="prod_handling"][value="Page_and_ticket"])`))
	b.do(chromedp.Click("#review-button"))
	b.until("the review shows that unhandled events page", `/unhandled/i.test(document.querySelector("#overlay dialog[open] table")?.innerText ?? "")`)
	b.do(chromedp.SendKeys("#why", "optics page from now on"), chromedp.Click(`#overlay dialog button[type="submit"][data-do]`))
	b.until("it is saved", `!document.querySelector("#overlay dialog[open]") && /^\/rules/.test(location.pathname) && !location.pathname.includes("new")`)
	apptest.EventuallyWithin(t, effectBound, "the rule is in force", func() (bool, any) {
		var got apiclient.Rules
		m.Get(&got, nil, "rules")
		text, err := json.Marshal(got)
		return err == nil && strings.Contains(string(text), `"optics degraded"`), got
	})

	// The next event of the device pages, and stands in the list as the rule's.
	reading := 1
	apptest.EventuallyWithin(t, effectBound, "the event pages", func() (bool, any) {
		reading++
		device(reading)
		alerts := m.Destination.Alerts()
		return len(alerts) > 0, alerts
	})
	if a := m.Destination.Alerts()[0]; a.Class != "NETO" || !strings.HasPrefix(a.Description, message) {
		t.Errorf("the alert is %+v", a)
	}
	b.do(chromedp.Navigate(m.AdminURL + "/events?" + url.Values{"q": {"host:" + host}, "range": {"1h"}}.Encode()))
	b.until("the list shows that the rule forwarded it", `[...document.querySelectorAll("tbody tr")].some((row) => /optics degraded[^]*forwarded/.test(row.innerText))`)
	b.sound()
	m.ExpectBalanced()
}
