package ui

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/muttproject/mutt/modules/ui/internal/page"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/httpserver"
)

// answer is what a page answered.
type answer struct {
	status         int
	body, location string
	header         http.Header
}

func (c *console) fetch(client *http.Client, req *http.Request) answer {
	c.Helper()
	resp, err := client.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return answer{resp.StatusCode, string(body), resp.Header.Get("Location"), resp.Header}
}

func (c *console) get(client *http.Client, path string) answer {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	return c.fetch(client, req)
}

// post sends a form, with further headers as name, value, ….
func (c *console) post(client *http.Client, path string, form url.Values, headers ...string) answer {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.fetch(client, req)
}

// TestLoginWithoutScripts: a reader is sent to the login and comes back to the page; each role sees the pages, ingest does not.
func TestLoginWithoutScripts(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{Warnings: []string{"a", "b"}})
	client := c.client(false)
	away := c.get(client, "/events?q=host%3Aa&range=1h")
	if away.status != http.StatusSeeOther || away.location != "/login?next=%2Fevents%3Fq%3Dhost%253Aa%26range%3D1h" {
		t.Fatalf("%d %s", away.status, away.location)
	}
	form := c.get(client, away.location)
	for _, want := range []string{`name="next" value="/events?q=host%3Aa&amp;range=1h"`, `type="password"`, "MUTT runs, with 2 warnings", "prod-eu", `href="/health"`} {
		if !strings.Contains(form.body, want) {
			t.Errorf("the login lacks %s", want)
		}
	}
	in := c.post(client, "/login", url.Values{"key": {" \t" + c.keys["viewer"] + "\r\n"}, "next": {"/events?q=host%3Aa&range=1h"}}, "Origin", c.url, "Sec-Fetch-Site", "same-origin")
	if in.status != http.StatusSeeOther || in.location != "/events?q=host%3Aa&range=1h" {
		t.Fatalf("%d %s %s", in.status, in.location, in.body)
	}
	if back := c.get(client, in.location); back.status != http.StatusOK || !strings.Contains(back.body, "key:viewer") || !strings.Contains(back.body, "with the role viewer") {
		t.Errorf("%d %s", back.status, back.body)
	}
	for _, role := range []string{"operator", "admin"} {
		if got := c.get(c.session(role), "/"); !strings.Contains(got.body, "with the role "+role) {
			t.Errorf("%s is not logged in: %d", role, got.status)
		}
	}
	if out := c.post(client, "/logout", nil, "Origin", c.url); out.status != http.StatusSeeOther || out.location != "/login" {
		t.Errorf("%d %s", out.status, out.location)
	}
	if after := c.get(client, "/"); after.status != http.StatusSeeOther || after.location != "/login?next=%2F" {
		t.Errorf("%d %s", after.status, after.location)
	}
}

// TestLoginRefused: what is wrong is said in words, with the attempts that are left, and no key ever comes back.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.client(false)
	good := c.keys["viewer"]
	mistyped := good[:20] + map[bool]string{true: "b", false: "a"}[good[20] == 'a'] + good[21:]
	for i, w := range []struct {
		key, part string
		status    int
		left      string
	}{
		{"", "Paste an API key.", 422, ""},
		{"   ", "Paste an API key.", 422, ""},
		{good[:40], "This key was cut off: it has 40 of 63 characters.", 401, "9 attempts are left"},
		{mistyped, "This key is damaged", 401, "8 attempts are left"},
		{good + good, "This key is too long: it has 126 characters", 401, "7 attempts are left"},
		{authn.NewSecret().Reveal(), "The API key is not known.", 401, "6 attempts are left"},
		{`"><script>alert(1)</script>`, "The API key is not known.", 401, "5 attempts are left"},
		{c.keys["ingest"], "role ingest", 403, ""},
		{"guess", "not known", 401, "4 attempts"}, {"guess", "not known", 401, "3 attempts"}, {"guess", "not known", 401, "2 attempts"},
		{"guess", "not known", 401, "1 attempt is left"}, {"guess", "not known", 401, "No attempt is left"},
		{"guess", "Wait 6 s, then try again", 429, ""},
	} {
		got := c.post(client, "/login", url.Values{"key": {w.key}, "next": {"/events"}}, "Origin", c.url)
		if got.status != w.status || !strings.Contains(got.body, w.part) || !strings.Contains(got.body, w.left) || !strings.Contains(got.body, `value="/events"`) {
			t.Errorf("%d: got %d, want %d with %q and %q:\n%s", i, got.status, w.status, w.part, w.left, got.body)
		}
		if len(w.key) > 10 && strings.Contains(got.body, w.key) || got.header.Get("Set-Cookie") != "" {
			t.Errorf("%d: the key comes back, or a cookie was set", i)
		}
		if (got.header.Get("Retry-After") != "") != (w.status == 429) {
			t.Errorf("%d: Retry-After is %q", i, got.header.Get("Retry-After"))
		}
	}
	if in := c.post(client, "/login", url.Values{"key": {good}}); in.status != http.StatusSeeOther {
		t.Errorf("a key that MUTT generated is let in at once: %d", in.status)
	}
}

// TestLoginFromElsewhere: another site's form is refused, leads nowhere else, and cannot fix a session.
func TestLoginFromElsewhere(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.client(false)
	key := url.Values{"key": {c.keys["viewer"]}}
	for _, headers := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}} {
		for _, path := range []string{"/login", "/logout"} {
			if got := c.post(client, path, key, headers...); got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" || !strings.Contains(got.body, "another site is refused") {
				t.Errorf("%s %v: %d %s", path, headers, got.status, got.body)
			}
		}
	}
	for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/\t/evil.example"} {
		key.Set("next", next)
		if got := c.post(c.client(false), "/login", key); got.location != "/" {
			t.Errorf("%q leads to %q", next, got.location)
		}
	}
	if got := c.post(client, "/login", url.Values{"key": {strings.Repeat("a", 20000)}}); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form without bound: %d", got.status)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url+"/login", strings.NewReader("key=x"))
	req.Header.Set("Content-Type", "text/plain")
	if got := c.fetch(client, req); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("not a form: %d", got.status)
	}
	// A token that somebody set before the login is not the session's afterwards.
	fixed := authn.NewSecret().Reveal()
	in := c.post(client, "/login", url.Values{"key": {c.keys["viewer"]}}, "Cookie", httpserver.SessionCookie+"="+fixed)
	if in.status != http.StatusSeeOther || strings.Contains(in.header.Get("Set-Cookie"), fixed) || !strings.Contains(in.header.Get("Set-Cookie"), "HttpOnly; SameSite=Lax") {
		t.Errorf("%d %s", in.status, in.header.Get("Set-Cookie"))
	}
	// A session that is not open goes back to the login, which says so.
	req, _ = http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/events", nil)
	req.Header.Set("Cookie", httpserver.SessionCookie+"="+fixed)
	gone := c.fetch(c.client(false), req)
	if gone.location != "/login?next=%2Fevents&ended=1" || !strings.Contains(gone.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("%s %s", gone.location, gone.header.Get("Set-Cookie"))
	}
	if page := c.get(client, gone.location); !strings.Contains(page.body, "Your session has ended") {
		t.Error("the login does not say that the session has ended")
	}
}

// TestHeadersOfPages: the policy stands on every page and file, nobody frames them, and files are kept for good.
func TestHeadersOfPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	client := c.session("viewer")
	home := c.get(client, "/").body
	paths := []string{"/", "/events", "/events?q=host%3A", "/components", "/login", "/docs"}
	for _, part := range strings.Split(home, `"`) {
		if strings.HasPrefix(part, "/static/") {
			paths = append(paths, part)
		}
	}
	if len(paths) < 10 {
		t.Fatalf("only %v", paths)
	}
	for _, path := range paths {
		got := c.get(client, path)
		h := got.header
		if h.Get("Content-Security-Policy") != page.Policy || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
		want := "no-store"
		switch {
		case strings.HasPrefix(path, "/static/"):
			want = "public, max-age=31536000, immutable"
		case path == "/docs":
			want = "no-cache"
		}
		if h.Get("Cache-Control") != want {
			t.Errorf("%s: Cache-Control %q", path, h.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/static/none.css", "/static/mutt.css", "/static/..%2fembed.go", "/static/..", "/static/a%00.css", "/static/"} {
		if got := c.get(client, path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// TestPagesWithoutScripts: filter, range, paging and peek are links and forms, and what a device wrote is text.
func TestPagesWithoutScripts(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{Errors: []string{"store: " + attack}})
	client := c.session("viewer")
	seen, path := 0, "/events?range=1h"
	for path != "" && seen < 500 {
		got := c.get(client, path)
		seen += strings.Count(got.body, `id="e-`)
		path = ""
		if strings.Contains(got.body, `rel="next"`) {
			path = linkBefore(got.body, `rel="next"`)
		}
	}
	if seen != 120 {
		t.Errorf("a walk through the pages sees %d of 120 events", seen)
	}
	peek := idAt(sceneTime().Add(-135*1e9).Add(264*1e6), 115).String()
	if got := c.get(client, "/events?q=host%3Aedge-fra-1&e="+peek).body; !strings.Contains(got, "c-0115") || !strings.Contains(got, "<b>48 events</b>") {
		t.Errorf("no peek: %s", got)
	}
	for path, want := range map[string]string{
		"/":                                    "Store: &lt;img src=x",
		"/events?q=fate%3Anonsense":            "fate:nonsense",
		"/events?q=rule%3Ax":                   "is a whole number from 1",
		"/events?q=sev%3Aworse":                "sev:worse",
		"/events?cursor=nonsense":              "ursor",
		"/events?from=yesterday":               "From must be a time in UTC",
		"/events?q=" + url.QueryEscape(attack): "control characters",
		"/events":                              "&lt;img src=x",
	} {
		got := c.get(client, path)
		if !strings.Contains(got.body, want) {
			t.Errorf("%s lacks %q (%d)", path, want, got.status)
		}
		if strings.Contains(got.body, "<img") || strings.Contains(got.body, "<script>") || strings.ContainsAny(got.body, "\x1b\u202e") {
			t.Errorf("%s: what a device wrote is not text", path)
		}
	}
}

// TestFirstHour: where no event has come, Overview teaches how to send one, for the name that the reader uses.
func TestFirstHour(t *testing.T) {
	t.Parallel()
	c := newEmptyConsole(t, Health{})
	client := c.session("viewer")
	if got := c.get(client, "/").body; !strings.Contains(got, "embedded (SQLite), since") || !strings.Contains(got, "ingestor, alerter") || !strings.Contains(got, "https 127.0.0.1:8090") {
		t.Errorf("Overview does not say what runs: %s", got)
	}
	if got := c.get(client, "/").body; !strings.Contains(got, "No event has arrived yet") || !strings.Contains(got, "logger -n 127.0.0.1 -P 5514 -d") || !strings.Contains(got, "Nothing has been changed yet") {
		t.Errorf("got %s", got)
	}
	if got := c.get(client, "/events").body; !strings.Contains(got, "No event arrived in the last hour") || !strings.Contains(got, "how to send a first event") {
		t.Errorf("got %s", got)
	}
}

// linkBefore returns the link whose element has the mark.
func linkBefore(body, mark string) string {
	before, _, _ := strings.Cut(body, mark)
	at := strings.LastIndex(before, `href="`)
	link, _, _ := strings.Cut(before[at+len(`href="`):], `"`)
	return strings.ReplaceAll(link, "&amp;", "&")
}

// TestPagesNeedTheirRole: a page shows what the API shows to the reader, and tells who may more.
func TestPagesNeedTheirRole(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	for _, path := range []string{"/", "/events", "/components"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+path, nil)
		req.Header.Set(httpserver.HeaderAPIKey, c.keys["ingest"])
		got := c.fetch(c.client(false), req)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, "needs the role viewer") || !strings.Contains(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, got.status, fmt.Sprint(got.header))
		}
	}
}
