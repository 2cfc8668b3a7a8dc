package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/authn"
)

// newDemonstration serves a process that accepts keys for one login, by a clock that the test moves, and what it logs.
func newDemonstration(t *testing.T) (c *console, once *authn.Once, at *time.Time, logs *observer.ObservedLogs) {
	t.Helper()
	now := sceneTime()
	once = authn.NewOnce(authn.Identity{Name: "user:demo", Role: authn.Operator}, func() time.Time { return now })
	core, logs := observer.New(zapcore.DebugLevel)
	c = newConsoleOf(t, Health{}, func(d *Deps) { d.Once, d.Logger = once, zap.New(core) })
	populate(t, c.store)
	return c, once, &now, logs
}

// TestKeysForOneLogin: such a key opens one session within two minutes, and is otherwise an unknown key.
func TestKeysForOneLogin(t *testing.T) {
	t.Parallel()
	c, once, now, logs := newDemonstration(t)
	key := once.Issue().Reveal()
	login := func(on *console, key string, headers ...string) answer {
		return on.post(on.client(false), "/login", url.Values{"key": {key}}, headers...)
	}
	refused := func(what string, got answer) {
		t.Helper()
		if got.status != http.StatusUnauthorized || !strings.Contains(got.body, "key is not known") || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", what, got.status, got.header)
		}
	}
	if got := login(c, key, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); got.status != http.StatusForbidden {
		t.Errorf("another site's form is answered with %d", got.status)
	}
	client := c.client(true)
	if in := c.post(client, "/login", url.Values{"key": {key}}, "Origin", c.url, "Sec-Fetch-Site", "same-origin"); in.status != http.StatusOK || !strings.Contains(in.body, "user:demo") {
		t.Errorf("the key does not log in: %d", in.status)
	}
	again := login(c, key)
	refused("used twice", again)
	if !strings.Contains(again.body, "logs in once, within two minutes") {
		t.Error("the page does not say why the link of the demonstration does not work")
	}
	if form := c.get(c.client(false), "/login"); !strings.Contains(form.body, "<noscript>") || !strings.Contains(form.body, "The link of the demonstration needs JavaScript") {
		t.Error("the login does not say what to do with the link where scripts are off")
	}
	refused("made up", login(c, authn.NewSecret().Reveal()))
	late := once.Issue().Reveal()
	*now = now.Add(2 * time.Minute)
	refused("late", login(c, late))
	for _, entry := range logs.All() {
		for name, value := range entry.ContextMap() {
			if text, _ := value.(string); strings.Contains(text, key) || strings.Contains(text, late) {
				t.Errorf("the log has the key: %s %s", entry.Message, name)
			}
		}
	}

	served := newEmptyConsole(t, Health{})
	other := login(served, once.Issue().Reveal())
	refused("at a process without such keys", other)
	for _, page := range []string{other.body, served.get(served.client(false), "/login").body} {
		if strings.Contains(page, "once") || strings.Contains(page, "demonstration") {
			t.Error("a process without such keys speaks of them")
		}
	}
}

// linkLogsIn: the link of the demonstration leads to Overview; its key is in no address, no history and no request line.
func linkLogsIn(t *testing.T) {
	t.Helper()
	c, once, _, _ := newDemonstration(t)
	b := c.newTab()
	b.look("light", 1440)
	key := once.Issue().Reveal()
	b.do(chromedp.Navigate(b.url+"/login#once="+key), chromedp.WaitVisible("#verdict"))
	if at := get[string](b, `location.href`); at != b.url+"/" {
		t.Errorf("the link leads to %s", at)
	}
	history, err := chromedp.Run(b.ctx, chromedp.NavigationEntries())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range history.Entries {
		if strings.Contains(entry.URL, key) {
			t.Errorf("the history has %s", entry.URL)
		}
	}
	b.mu.Lock()
	for _, r := range b.requests {
		if address, _, _ := strings.Cut(r, "#"); strings.Contains(address, key) {
			t.Errorf("a request has the key: %s", r)
		}
	}
	b.mu.Unlock()
	b.sound("the link of the demonstration")
	b.do(chromedp.Click(".who summary"), chromedp.Click(".menu button"), chromedp.WaitVisible("#key"))
	get[bool](b, `location.hash = "once=`+key+`", true`)
	b.do(chromedp.WaitVisible("#key-error"))
	if why := get[string](b, `document.querySelector("#key-error").textContent + location.hash`); !strings.Contains(why, "logs in once") || strings.Contains(why, key) {
		t.Errorf("a link that was used says %q", why)
	}
}
