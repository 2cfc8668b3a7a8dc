package ui

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/muttproject/mutt/modules/ui/internal/page"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/httpserver"
)

// The tests of this file walk over all routes, so that a page that is added is held to the same.

// pageRoutes lists the routes whose callers read pages.
func (c *console) pageRoutes() (pages []httpserver.Route) {
	for _, r := range c.server.Routes() {
		if r.Failed != nil {
			pages = append(pages, r)
		}
	}
	return pages
}

// path fills in a route's parameters.
func path(r *httpserver.Route, value string) string {
	return regexp.MustCompile(`:[a-z_]+`).ReplaceAllLiteralString(r.Path, url.PathEscape(value))
}

// send makes a call in process; headers are name, value, ….
func (c *console) send(method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, c.url+path, body)
	if err != nil {
		c.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	req.RemoteAddr, req.RequestURI = "192.0.2.1:4000", req.URL.RequestURI()
	rec := httptest.NewRecorder()
	c.server.Handler().ServeHTTP(rec, req)
	return rec
}

// cookieOf logs in and returns the session's cookie, as a browser sends it, and the token that writes need.
func (c *console) cookieOf(role string) (cookie, token string) {
	c.Helper()
	client := c.session(role)
	u, err := url.Parse(c.url)
	if err != nil {
		c.Fatal(err)
	}
	for _, k := range client.Jar.Cookies(u) {
		cookie += k.Name + "=" + k.Value + "; "
	}
	found := regexp.MustCompile(`"csrf_token":"([^"]+)"`).FindStringSubmatch(c.get(client, "/api/v2/session").body)
	if found == nil {
		c.Fatal("the session has no token")
	}
	return cookie, found[1]
}

// TestWritesNeedTheToken: whatever changes something is refused to another site's page, for every route and method, pages and API alike.
func TestWritesNeedTheToken(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	cookie, _ := c.cookieOf("admin")
	_, other := c.cookieOf("admin")
	changes := func() string { return c.get(c.session("viewer"), "/api/v2/audit?limit=1").body }
	before, writes := changes(), 0
	for _, r := range c.server.Routes() {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			continue
		}
		writes++
		if r.Role == authn.Public { // no session yet: the browser says where the call comes from
			for _, from := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "null"}} {
				rec := c.send(r.Method, path(&r, "1"), strings.NewReader("key="+c.keys["admin"]), append(from, "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded")...)
				if rec.Header().Get("Set-Cookie") != "" || r.Failed != nil && rec.Code != http.StatusForbidden {
					t.Errorf("%s %s from %v: %d %v", r.Method, r.Path, from, rec.Code, rec.Header())
				}
			}
			continue
		}
		for _, headers := range [][]string{nil, {"X-CSRF-Token", ""}, {"X-CSRF-Token", other}, {"HX-Request", "true", "Origin", c.url}, {"X-HTTP-Method-Override", "GET"}} {
			rec := c.send(r.Method, path(&r, "1"), strings.NewReader("{}"), append(headers, "Cookie", cookie, "Content-Type", "text/plain")...)
			if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "csrf_token") {
				t.Errorf("%s %s with %v: %d %s", r.Method, r.Path, headers, rec.Code, rec.Body)
			}
		}
	}
	if writes < 20 || changes() != before {
		t.Errorf("%d routes write; the last change is %s", writes, changes())
	}
}

// TestEveryPageIsGuarded: each page, in each state, has the policy and nothing may keep or frame it; each needs its role, and leads a stranger to
// the login and nowhere else.
func TestEveryPageIsGuarded(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	cookie, token := c.cookieOf("admin")
	guarded := func(what string, rec *httptest.ResponseRecorder) {
		t.Helper()
		h := rec.Header()
		if h.Get("Content-Security-Policy") != page.Policy || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") != "same-origin" || !strings.HasPrefix(h.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: %d with %v", what, rec.Code, h)
		}
		if kind := h.Get("Content-Type"); rec.Body.Len() > 0 && !strings.HasPrefix(kind, "text/html; charset=") && !strings.HasPrefix(kind, "text/event-stream") {
			t.Errorf("%s: the answer is %q", what, kind)
		}
		for _, name := range []string{"Location", "HX-Redirect", "HX-Location", "HX-Push-Url", "HX-Replace-Url", "Refresh"} {
			if to := h.Get(name); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.Contains(to, `\`)) {
				t.Errorf("%s: %s is %q", what, name, to)
			}
		}
		for _, set := range rec.Result().Cookies() {
			if !set.HttpOnly || set.SameSite != http.SameSiteLaxMode && set.SameSite != http.SameSiteStrictMode || set.Path != "/" || set.Domain != "" {
				t.Errorf("%s: the cookie is %s", what, set)
			}
		}
		if body := rec.Body.String(); strings.Contains(body, "<script>") || strings.Contains(body, "<img") || strings.ContainsAny(body, "\x1b\u202e\x00") {
			at := max(strings.Index(body, "<script>"), strings.Index(body, "<img"), strings.IndexAny(body, "\x1b\u202e\x00"))
			t.Errorf("%s: what somebody wrote is not text: %q", what, body[max(0, at-100):min(len(body), at+60)])
		}
	}
	away := []string{"https://evil.example", "//evil.example", `/\evil.example`, "/\t/evil.example", "javascript:alert(1)", attack, "a\r\nSet-Cookie: x=y"}
	for _, r := range c.pageRoutes() {
		if strings.Contains(r.Path, "stream") { // has no end; its own tests
			continue
		}
		what := r.Method + " " + r.Path
		values := []string{"1", attack, "../../etc/passwd", "a\r\nSet-Cookie: x=y", strings.Repeat("9", 3000), "019ab3c8-5b4c-7000-8000-000000000001"}
		if !strings.Contains(r.Path, ":") {
			values = values[:1]
		}
		for _, value := range values {
			for _, headers := range [][]string{nil, {"HX-Request", "true"}, {"HX-Request", "true", "HX-Target", attack[:40], "HX-Current-URL", "https://evil.example/"}, {"Accept", "application/json"}} {
				for _, next := range away {
					query := "?" + url.Values{"next": {next}, "q": {next}, "from": {next}, "return": {next}, "redirect": {next}, "url": {next}, "cursor": {next}, "range": {next}}.Encode()
					if (value != values[0] || headers != nil) && next != attack { // each once is enough
						continue
					}
					guarded(what+" of a reader", c.send(r.Method, path(&r, value)+query, nil, append(headers, "Cookie", cookie, "X-CSRF-Token", token)...))
				}
				stranger := c.send(r.Method, path(&r, value), nil, headers...)
				guarded(what+" of a stranger", stranger)
				if r.Role != authn.Public && stranger.Code != http.StatusSeeOther && stranger.Code != http.StatusUnauthorized {
					t.Errorf("%s: a stranger gets %d", what, stranger.Code)
				}
			}
		}
		cookie, token = c.cookieOf("admin") // a logout ends a session
	}
	for _, unknown := range []string{"GET /nothing", "GET /events/a/b/c/d", "DELETE /", "PUT /login", "TRACE /", "GET /" + strings.Repeat("a", 8000), "GET /%3Cscript%3E"} {
		method, path, _ := strings.Cut(unknown, " ")
		rec := c.send(method, path, nil, "Cookie", cookie, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		guarded(unknown, rec)
		if rec.Code != http.StatusNotFound && rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("%.40s: got %d", unknown, rec.Code)
		}
	}
	for _, program := range []string{"/api/v2/nothing", "/nothing"} {
		accept := map[bool]string{true: "text/html", false: "*/*"}[strings.HasPrefix(program, "/api")]
		if rec := c.send(http.MethodGet, program, nil, "Accept", accept); rec.Code != http.StatusNotFound || !strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%s: a program gets %d %s", program, rec.Code, rec.Header().Get("Content-Type"))
		}
	}
}

// endless is a body without end that says how much of it was read.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, bytes.Repeat([]byte("a=1&b=2&"), len(p)/8+1))
	if e.read == 0 {
		n = copy(p, "key=")
	}
	e.read += n
	return n, nil
}

// TestPagesReadBoundedBodies: no page reads a body further than a bound, whatever its type says, and whoever sends it.
func TestPagesReadBoundedBodies(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	cookie, token := c.cookieOf("admin")
	for _, r := range c.pageRoutes() {
		if strings.Contains(r.Path, "stream") {
			continue
		}
		for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/json", "text/plain", ""} {
			body := &endless{}
			rec := c.send(r.Method, path(&r, "1"), body, "Cookie", cookie, "X-CSRF-Token", token, "Content-Type", kind, "Origin", c.url)
			if body.read > 2<<20 {
				t.Errorf("%s %s reads %d bytes of %q", r.Method, r.Path, body.read, kind)
			}
			if rec.Code >= 500 {
				t.Errorf("%s %s with a body of %q: %d %s", r.Method, r.Path, kind, rec.Code, rec.Body)
			}
			if r.Path == "/logout" {
				cookie, token = c.cookieOf("admin")
			}
		}
	}
}

// TestOnlyAssetsAreKept: browsers and proxies may keep the static files, whose names hold a hash, and nothing that a session shows.
func TestOnlyAssetsAreKept(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	cookie, _ := c.cookieOf("admin")
	for _, r := range c.server.Routes() {
		if r.Method != http.MethodGet || strings.Contains(r.Path, "stream") || strings.HasPrefix(r.Path, "/static/") {
			continue
		}
		rec := c.send(r.Method, path(&r, "1"), nil, "Cookie", cookie)
		if kept := rec.Header().Get("Cache-Control"); strings.Contains(kept, "public") || strings.Contains(kept, "max-age") || strings.Contains(kept, "immutable") {
			t.Errorf("%s may be kept: %q", r.Path, kept)
		}
		if kind := rec.Header().Get("Content-Type"); strings.HasPrefix(r.Path, "/api/") && strings.Contains(kind, "html") && !strings.HasSuffix(r.Path, "/docs") {
			t.Errorf("%s: a browser takes %q for a page", r.Path, kind)
		}
	}
}
