package api

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/openapi"
)

// What the server serves below /api is what its document names, with the same roles.
func TestDocumentNamesEveryRoute(t *testing.T) {
	t.Parallel()
	declared := map[string]string{}
	for _, o := range NewDocument(nil, nil).Operations() {
		declared[o.Method+" "+o.Path] = o.Role
	}
	a := new(API)
	served := 0
	for _, r := range a.Routes() {
		path, below := r.Path, false
		for _, prefix := range Prefixes() {
			if rest, ok := strings.CutPrefix(r.Path, prefix); ok {
				path, below = rest, true
			}
		}
		if below {
			served++
		}
		role, known := declared[r.Method+" "+documented(path)]
		if !known || role != r.Role.String() {
			t.Errorf("%s %s for %s is declared for %q", r.Method, r.Path, r.Role, role)
		}
	}
	if served != 2*len(declared) {
		t.Errorf("%d routes for %d operations", served, len(declared))
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, path := range []string{"/openapi.json", "/api/v1/openapi.json", "/api/v2/openapi.json"} {
		rec := b.do(request{method: "GET", path: path, key: "-"})
		var doc struct{ OpenAPI string }
		b.must(json.Unmarshal(rec.Body.Bytes(), &doc))
		if rec.Code != http.StatusOK || doc.OpenAPI != "3.1.0" || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q", path, rec.Code, doc.OpenAPI)
		}
		again := b.do(request{method: "GET", path: path, key: "-", header: []string{"If-None-Match", rec.Header().Get("ETag")}})
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
}

// The page has everything that the document has, its links lead somewhere, and it asks nothing of anybody else.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	for _, path := range []string{"/docs", "/api/v1/docs", "/api/v2/docs"} {
		rec := b.do(request{method: "GET", path: path, key: "-"})
		body := rec.Body.String()
		if rec.Code != 200 || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") || !strings.HasPrefix(rec.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Fatalf("%s: %d %v", path, rec.Code, rec.Header())
		}
		for _, bad := range []string{"<script", "style=", "<iframe", `src="http`, `href="http`, `href="//`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
		for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if strings.Count(body, ` id="`+link[1]+`"`) != 1 {
				t.Fatalf("%s: the link to %s leads to no place, or to several", path, link[1])
			}
		}
		for _, o := range NewDocument(nil, nil).Operations() {
			if !strings.Contains(body, `<article id="`+o.ID+`">`) {
				t.Errorf("%s lacks %s", path, o.ID)
			}
		}
	}
}

// Every word of a vocabulary that the document uses exists, and every member of a payload says what it means.
func TestDocumentSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Description, Ref string
					Type             any
				}
			}
		}
	}
	if err := json.Unmarshal(NewDocument(nil, nil).JSON(), &doc); err != nil {
		t.Fatal(err)
	}
	for name, s := range doc.Components.Schemas {
		for member, p := range s.Properties {
			if p.Description == "" && (p.Type == "string" || p.Type == "integer" || p.Type == "boolean") {
				t.Errorf("%s.%s has no doc tag", name, member)
			}
		}
	}
	for name, words := range vocabulary() {
		if len(words) < 2 || slices.Contains(words[1:], "") {
			t.Errorf("vocabulary %s: %q", name, words)
		}
	}
}

// An endpoint without a declaration cannot be overlooked.
func TestUndeclaredEndpointPanics(t *testing.T) {
	t.Parallel()
	e := endpoint{method: "GET", path: "/new/:id", role: authn.Viewer}
	defer func() {
		if p := recover(); p == nil || !strings.Contains(p.(string), "GET /new/{id} is not declared") {
			t.Errorf("got %v", p)
		}
	}()
	openapi.New(openapi.Info{}, []openapi.Operation{e.operation()})
}

// The server takes more than the document promises: people type, and the predecessor took it.
func TestServerIsMoreTolerantThanItsDocument(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.judge(auditRow(1, "sw1", event.FateForwarded, event.PageOnly, 7))
	lower := strings.Replace(sampleRule, "Page_and_ticket", "page_AND_ticket", 1)
	for _, c := range []struct {
		request
		status int
		part   string
	}{
		{request{method: "POST", path: "/rules", body: lower}, 201, `"id":1`},
		{request{method: "GET", path: "/rules/1"}, 200, `"Page_and_ticket"`},
		{request{method: "GET", path: "/audit?operation=create"}, 200, `"total":1`},
		{request{method: "GET", path: "/audit-logs?handling=page_ONLY"}, 200, `"total":1`},
		{importCall("?dry_run=1", "application/yaml", twoRules), 200, `"dry_run":true`},
		{importCall("?dry_run=1", "", twoRules), 200, `"dry_run":true`},
	} {
		c.loose = true
		if rec := b.do(c.request); rec.Code != c.status || !strings.Contains(rec.Body.String(), c.part) {
			t.Errorf("%s %s: got %d %s", c.method, c.path, rec.Code, rec.Body)
		}
	}
}
