package ui

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/httpserver"
)

// TestNavigationOfRoles: section 9 of the console's design. Nobody sees what the role may not see.
func TestNavigationOfRoles(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	all := []string{"/", "/events", "/rules"}
	for role, want := range map[string][]string{"viewer": all, "operator": all, "admin": all} {
		body := c.get(c.session(role), "/events").body
		_, nav, _ := strings.Cut(body, `<nav class="side"`)
		nav, _, _ = strings.Cut(nav, `<div class="foot">`)
		if got := links(nav); !slices.Equal(got, want) {
			t.Errorf("%s sees %q, want %q", role, got, want)
		}
		_, tabs, _ := strings.Cut(body, `<ul class="tabs">`)
		tabs, _, _ = strings.Cut(tabs, "</ul>")
		if got := links(tabs); !slices.Equal(got, want) {
			t.Errorf("%s has the tabs %q, want %q", role, got, want)
		}
	}
	in := c.post(c.client(false), "/login", url.Values{"key": {c.keys["ingest"]}}, "Origin", c.url)
	if in.status != http.StatusForbidden || in.header.Get("Set-Cookie") != "" {
		t.Errorf("ingest logs in: %d", in.status)
	}
}

func links(body string) (out []string) {
	for _, m := range regexp.MustCompile(`<a [^>]*?href="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// TestForgedWrites: every route that changes something refuses a session of too little right, although it brings its token.
func TestForgedWrites(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{})
	forged := 0
	for _, role := range []authn.Role{authn.Viewer, authn.Operator} {
		cookie, token := c.cookieOf(role.String())
		for _, r := range c.server.Routes() {
			if r.Method == http.MethodGet || r.Role == authn.Public || role.Allows(r.Role) {
				continue
			}
			forged++
			rec := c.send(r.Method, path(&r, "1"), strings.NewReader("op=delete&id=1&revision=1&reason=forged"),
				"Cookie", cookie, httpserver.HeaderCSRF, token, "HX-Request", "true", "Origin", c.url, "Content-Type", "application/x-www-form-urlencoded")
			if rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "needs the role "+r.Role.String()) {
				t.Errorf("%s: %s %s answers %d: %.200s", role, r.Method, r.Path, rec.Code, rec.Body)
			}
		}
	}
	if forged < 30 {
		t.Errorf("only %d writes were forged", forged)
	}
}

// TestCrawl follows every link of every page as each role, without scripts: all lead to pages with a heading, and no page offers a write
// that the role may not do.
func TestCrawl(t *testing.T) {
	t.Parallel()
	c := newConsole(t, Health{Warnings: []string{"the breaker is open"}})
	for _, role := range []authn.Role{authn.Viewer, authn.Operator, authn.Admin} {
		client := c.session(role.String())
		queue, seen, pages := []string{"/"}, map[string]bool{}, 0
		for _, v := range views() {
			if !strings.Contains(v.name, "refused") {
				queue = append(queue, v.path)
			}
		}
		for len(queue) > 0 {
			path := queue[0]
			queue = queue[1:]
			u, err := url.Parse(path)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if kind := kindOfPage(u); seen[kind] || path == "" {
				continue
			} else {
				seen[kind] = true
			}
			got := c.get(client, path)
			if got.status != http.StatusOK {
				t.Errorf("%s: %s answers %d", role, path, got.status)
			}
			if u.Path == "/docs" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
				continue
			}
			pages++
			if n := strings.Count(got.body, "<h1"); n != 1 {
				t.Errorf("%s: %s has %d headings", role, path, n)
			}
			if u.Path != "/components" { // which shows dialogs that do nothing
				c.offersOnly(role, path, got.body)
			}
			for _, link := range links(got.body) {
				if strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "/static/") {
					queue = append(queue, link)
				}
			}
		}
		if pages < 15 {
			t.Errorf("%s saw only %d pages", role, pages)
		}
	}
}

// kindOfPage tells pages apart by their path without ids and by what their query sets, not by its values.
func kindOfPage(u *url.URL) string {
	path := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\d+`).ReplaceAllString(strings.TrimPrefix(u.Path, "/api/v2"), "N")
	return path + "?" + strings.Join(slices.Sorted(maps.Keys(u.Query())), "&")
}

// offersOnly fails for each write of a page to which the role has no right, and for one that leads nowhere.
func (c *console) offersOnly(role authn.Role, page, body string) {
	c.Helper()
	for _, m := range regexp.MustCompile(`(?:hx-(post|put|patch|delete)|formaction|method="(post)" action)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		method, path, _ := strings.Cut(strings.ToUpper(m[1]+m[2])+" "+html.UnescapeString(m[3]), " ")
		u, err := url.Parse(path)
		if err != nil {
			c.Errorf("%s: %v", page, err)
			continue
		}
		at := slices.IndexFunc(c.pageRoutes(), func(r httpserver.Route) bool {
			pattern := "^" + regexp.MustCompile(`:[a-z]+`).ReplaceAllString(regexp.QuoteMeta(r.Path), `[^/]+`) + "$"
			return r.Method == fmt.Sprint(orPost(method)) && regexp.MustCompile(pattern).MatchString(u.Path)
		})
		switch {
		case at < 0:
			c.Errorf("%s: %s offers %s %s, which is not there", role, page, method, path)
		case c.pageRoutes()[at].Role != authn.Public && !role.Allows(c.pageRoutes()[at].Role):
			c.Errorf("%s: %s offers %s %s, which needs %s", role, page, method, path, c.pageRoutes()[at].Role)
		}
	}
}

func orPost(method string) string {
	if method == "" {
		return http.MethodPost
	}
	return method
}
