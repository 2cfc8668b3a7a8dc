package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/muttproject/mutt/platform/httpserver"
)

// cookie returns the token of the client's session.
func (c *console) cookie(client *http.Client) string {
	c.Helper()
	u, err := url.Parse(c.url)
	if err != nil {
		c.Fatal(err)
	}
	for _, k := range client.Jar.Cookies(u) {
		if k.Name == httpserver.SessionCookie {
			return k.Value
		}
	}
	return ""
}

// TestEachLoginHasItsOwnSession: a token that was in the browser before is never taken over, and ends.
func TestEachLoginHasItsOwnSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	u, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	client := c.client(false)
	client.Jar.SetCookies(u, []*http.Cookie{{Name: httpserver.SessionCookie, Value: "planted", Path: "/"}})
	before := "planted"
	for _, headers := range [][]string{nil, nil, {"HX-Request", "true"}, {"HX-Request", "true"}} {
		if got := c.post(client, "/login", url.Values{"key": {c.keys["viewer"]}}, headers...); got.status != http.StatusSeeOther && got.status != http.StatusNoContent {
			t.Fatalf("%d %s", got.status, got.body)
		}
		now := c.cookie(client)
		if now == "" || now == before {
			t.Errorf("the login kept the token %q", now)
		}
		old := c.client(false)
		old.Jar.SetCookies(u, []*http.Cookie{{Name: httpserver.SessionCookie, Value: before, Path: "/"}})
		if got := c.get(old, "/session"); got.status != http.StatusSeeOther {
			t.Errorf("the token of before is good for %d %s", got.status, got.body)
		}
		before = now
	}
}

// TestScriptsLearnThatASessionEnded: they get the status and the cookie goes; a login over a page says what a login says.
func TestScriptsLearnThatASessionEnded(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("viewer")
	if got := c.get(client, "/session").body; !strings.HasPrefix(got, `<div data-reader="key:viewer" data-token="`) {
		t.Errorf("got %s", got)
	}
	if got := c.get(client, "/").body; !strings.Contains(got, `data-reader="key:viewer"`) {
		t.Error("the page does not know its reader")
	}
	c.end(client)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/events", nil)
	req.Header.Set("HX-Request", "true")
	if got := c.fetch(client, req); got.status != http.StatusUnauthorized || got.header.Get("HX-Redirect") != "" || got.body != "" || c.cookie(client) != "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	good := c.keys["viewer"]
	for _, w := range []struct {
		key, part string
		status    int
	}{
		{"", "Paste an API key.", 422}, {good[:40], "This key was cut off: it has 40 of 63 characters.", 401}, {"guess", "The API key is not known.", 401},
		{c.keys["ingest"], "role ingest", 403}, {good, "", 204},
	} {
		got := c.post(client, "/login", url.Values{"key": {w.key}}, "HX-Request", "true", "Origin", c.url)
		if got.status != w.status || !strings.Contains(got.body, w.part) || strings.Contains(got.body, "<html") || w.key != "" && strings.Contains(got.body, w.key) {
			t.Errorf("%q: %d %s", w.key, got.status, got.body)
		}
		if w.status == 401 && !strings.Contains(got.body, "attempts are left") {
			t.Errorf("%q: attempts are not said: %s", w.key, got.body)
		}
		if w.status != 204 && !strings.Contains(got.body, `hx-post="/login"`) {
			t.Errorf("%q: not the form over a page: %s", w.key, got.body)
		}
	}
}

// end ends the session of a client behind its back.
func (c *console) end(client *http.Client) {
	c.Helper()
	other := c.client(false)
	u, err := url.Parse(c.url)
	if err != nil {
		c.Fatal(err)
	}
	other.Jar.SetCookies(u, client.Jar.Cookies(u))
	if got := c.post(other, "/logout", nil); got.status != http.StatusSeeOther {
		c.Fatalf("log out: %d", got.status)
	}
}

// sessionsEnd: a page whose session has ended keeps what it holds, a login stands over it, and it goes on after a login by the same person.
func sessionsEnd(t *testing.T) {
	t.Helper()
	b := newConsole(t, Health{}).newTab()
	b.look("dark", 1440)
	b.logIn("viewer")
	b.do(chromedp.Navigate(b.url + "/events/" + forwardedID()))
	asked := `htmx.ajax("GET", "/events/` + forwardedID() + `?now=1", {target: "#again", swap: "outerHTML"}); true`
	logOut := func() {
		t.Helper()
		get[bool](b, `fetch("/logout", {method: "POST"}).then(() => true)`)
	}
	quiet := func() { b.mu.Lock(); b.complaints = nil; b.mu.Unlock() } // the browser logs the 401

	get[bool](b, `document.querySelector("#main").insertAdjacentHTML("beforeend", "<form id=f><textarea id=held>draft</textarea></form>"); document.querySelector("#held").focus(); window.same = true`)
	logOut()
	get[bool](b, asked)
	b.until("a login stands over the page, with the focus in it", `document.querySelector("#ended").open && document.activeElement.id === "ended-key"`)
	quiet()
	if get[bool](b, `!document.querySelector("#unsent").hidden`) {
		t.Error("a read is called unsent")
	}
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("Esc does not close it", `document.querySelector("#ended").open`)
	b.do(chromedp.SendKeys("#ended-key", b.keys["viewer"][:40]+"\r"), chromedp.WaitVisible("#ended-key-error"))
	if why := get[string](b, `document.querySelector("#ended-key-error").textContent`); !strings.Contains(why, "40 of 63 characters") || !strings.Contains(why, "attempts are left") {
		t.Errorf("refused with %q", why)
	}
	b.until("the focus is in the field again", `document.activeElement.id === "ended-key"`)
	quiet()
	old := get[string](b, `document.querySelector("meta[name=csrf-token]").content`)
	b.do(chromedp.SendKeys("#ended-key", b.keys["viewer"]+"\r"))
	b.until("the same person goes on", `!document.querySelector("#ended").open && window.same && document.querySelector("#held").value === "draft" && document.activeElement.id === "held"`)
	if fresh := get[string](b, `document.querySelector("meta[name=csrf-token]").content`); fresh == old || fresh != get[string](b, `fetch("/api/v2/session").then(r => r.json()).then(s => s.csrf_token)`) {
		t.Errorf("the token is still %q", fresh)
	}
	get[bool](b, asked)
	b.until("what was refused works again", `document.querySelector("#again").textContent.includes("the same")`)
	quiet() // so does the live part, which asks whether the session is open
	b.sound("sessions")

	logOut()
	get[bool](b, `new BroadcastChannel("mutt_session").postMessage("ask"); true`)
	b.until("another tab says that a session ended", `document.querySelector("#ended").open`)
	get[bool](b, `htmx.ajax("POST", "/api/v2/rules", {target: "#again"}); true`)
	b.until("a write that was refused is called so", `!document.querySelector("#unsent").hidden && document.querySelector("#again").textContent.includes("the same")`)
	quiet()
	b.do(chromedp.SendKeys("#ended-key", b.keys["operator"]+"\r"))
	b.until("another person gets the page anew", `!window.same && document.readyState === "complete" && document.querySelector("#ended").dataset.reader === "key:operator" && !document.querySelector("#held")`)
	if at := get[string](b, `location.pathname`); at != "/events/"+forwardedID() {
		t.Errorf("at %s", at)
	}
	quiet()
}
