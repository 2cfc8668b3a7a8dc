package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/store"
)

// whole runs an embedded process of all roles with one key for each role, named like it, and one that has expired.
func whole(t *testing.T) *parts {
	t.Helper()
	cfg, _, err := LoadConfig([]string{"MUTT_DATA_DIR=" + t.TempDir(), "MUTT_INGEST_ADDR=127.0.0.1:0", "MUTT_ADMIN_ADDR=127.0.0.1:0",
		"MUTT_OPS_ADDR=127.0.0.1:0", "MUTT_OPS_REMOTE_PROFILES=true", "MUTT_SYSLOG_UDP_ADDR=off", "MUTT_SYSLOG_TCP_ADDR=off"})
	if err != nil {
		t.Fatal(err)
	}
	a := New(Quiet(Options{Config: cfg}))
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	_, err = a.parts.store.Change(t.Context(), store.Actor{Name: "test"}, "", func(tx *store.Tx) error {
		for _, name := range []string{"ingest", "viewer", "operator", "admin", "expired"} {
			hash := authn.HashSecret(name)
			k := store.APIKey{Name: name, Role: name, Hash: hash[:]}
			if name == "expired" {
				k.Role, k.ExpiresAt = "admin", time.Now().Add(-time.Second)
			}
			if _, err := tx.PutAPIKey(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = a.parts.control.Refresh(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return a.parts
}

// TestAuthorization holds who may call what, on every listener of a whole process.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	p := whole(t)
	t.Run("table", func(t *testing.T) { authorizationTable(t, p) })
	t.Run("matrix", func(t *testing.T) { authorizationMatrix(t, p) })
}

// authorizationTable holds that nothing is served that is not in the one table, and that the table is the one in
// docs/reference/authorization.md: a new route, or another role, is a decision that shows in a diff.
func authorizationTable(t *testing.T, p *parts) {
	t.Helper()
	var rows []string
	for _, s := range p.servers {
		table := map[string]authn.Role{}
		for _, r := range s.Routes() {
			if _, twice := table[r.Method+" "+r.Path]; twice {
				t.Errorf("%s %s stands twice in the table of %s", r.Method, r.Path, s.Name())
			}
			table[r.Method+" "+r.Path] = r.Role
			if r.Method == http.MethodHead {
				continue
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | `%s` | %s |\n", strings.TrimPrefix(s.Name(), "http-"), r.Method, r.Path, r.Role))
		}
		for _, r := range s.Routes() { // HEAD is GET without its body, for the same callers
			if other := map[string]string{http.MethodGet: http.MethodHead, http.MethodHead: http.MethodGet}[r.Method]; other != "" {
				if role, there := table[other+" "+r.Path]; !there || role != r.Role {
					t.Errorf("%s: %s %s is for %s, %s for %s", s.Name(), r.Method, r.Path, r.Role, other, role)
				}
			}
		}
		served := s.Served()
		slices.Sort(served)
		if d := gocmp.Diff(slices.Sorted(maps.Keys(table)), served); d != "" {
			t.Errorf("%s serves what is not in its table (-table +served):\n%s", s.Name(), d)
		}
	}
	if len(p.servers) != 3 || len(rows) < 100 {
		t.Fatalf("%d listeners with %d routes: the walk is broken", len(p.servers), len(rows))
	}
	slices.Sort(rows)
	page := "# Who may call what\n\nGenerated from the code; do not edit. The least role of each route: `public` needs no key, `any` takes every valid one, and\n" +
		"`viewer`, `operator`, `admin` include each other in this order. `ingest` stands beside them; an admin may send events too. HEAD is\n" +
		"served wherever GET is, to the same callers. See [Keys, roles and sessions](../guides/access.md). Profiles (`/debug/pprof`) are shown\n" +
		"to this machine only, unless `ops.remote_profiles` is set; each is collected for at most 60 seconds, one at a time. A listener on loopback\n" +
		"answers to localhost, loopback addresses and the names in `admin.hosts`; by another name every route but those of events is 421 (`wrong_host`).\n\n" +
		"| listener | method | path | least role |\n| --- | --- | --- | --- |\n" + strings.Join(rows, "")
	path := filepath.Join("..", "docs", "reference", "authorization.md")
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(string(have), page); d != "" {
		t.Errorf("%s is not the table of the code; when that is meant, run with -update: %s", path, d)
	}
}

// caller is one kind of caller of the matrix.
type caller struct {
	name    string
	role    authn.Role // Public: nobody
	key     string     // sent as a key
	session string     // or the key that a session is opened with
	csrf    bool       // the session's token is sent along
}

func callers() []caller {
	all := []caller{{name: "without a key"}, {name: "with an unknown key", key: "guessed"}, {name: "with an expired key", key: "expired"},
		{name: "with a damaged key", key: "mutt_abc"}}
	for _, r := range authn.Roles() {
		all = append(all, caller{name: "with a key of " + r.String(), role: r, key: r.String()})
	}
	for _, r := range []authn.Role{authn.Viewer, authn.Operator, authn.Admin} {
		all = append(all, caller{name: "by a session of " + r.String(), role: r, session: r.String(), csrf: true})
	}
	return append(all, caller{name: "by a session without its token", role: authn.Admin, session: "admin"})
}

// expected is what the authorization makes of a call: a code of its refusal, "" when it passes.
func (c *caller) expected(listener string, r *httpserver.Route) string {
	bySession := c.session != ""
	write := r.Method != http.MethodGet && r.Method != http.MethodHead
	switch {
	case r.Role == authn.Public:
		return ""
	case c.role == authn.Public, bySession && listener != "http-admin":
		return "unauthorized"
	case bySession && write && !c.csrf:
		return "csrf_token"
	case !c.role.Allows(r.Role):
		return "forbidden"
	}
	return ""
}

// authorizationMatrix calls every route of every listener as every kind of caller.
func authorizationMatrix(t *testing.T, p *parts) {
	t.Helper()
	m := &matrix{T: t, parts: p, sessions: map[string][2]string{}}
	for _, s := range m.parts.servers {
		for _, r := range s.Routes() {
			for _, c := range callers() {
				got, status := m.call(s, r, c)
				if want := c.expected(s.Name(), &r); got != want || status >= 500 {
					t.Errorf("%s: %s %s (%s) %s: %d %q, want %q", s.Name(), r.Method, r.Path, r.Role, c.name, status, got, want)
				}
			}
		}
	}
	if m.calls < 1000 {
		t.Errorf("%d calls: the walk is broken", m.calls)
	}
}

// matrix makes the calls.
type matrix struct {
	*testing.T
	parts    *parts
	calls    int
	sessions map[string][2]string // token and CSRF token of what is open, by key
}

// leaving ends the request at the first byte of an answer that has no end.
type leaving struct {
	*httptest.ResponseRecorder
	cancel  context.CancelFunc
	endless bool
}

func (l leaving) Write(b []byte) (int, error) {
	if l.endless {
		l.cancel()
	}
	return l.ResponseRecorder.Write(b)
}

// call makes a call and gives the code of its refusal when it was refused for who makes it.
func (m *matrix) call(s *httpserver.Server, r httpserver.Route, c caller) (code string, status int) {
	m.Helper()
	m.calls++
	path := strings.NewReplacer(":id", "999999", ":queue", "alert", ":profile", "heap").Replace(r.Path)
	path = regexp.MustCompile(`:\w+`).ReplaceAllString(path, "none")
	req := httptest.NewRequest(r.Method, path, nil)
	req.RemoteAddr = fmt.Sprintf("10.%d.%d.1:1", m.calls>>8, m.calls&255) // failed attempts are limited by source
	if strings.HasPrefix(path, "/debug/pprof") {
		ctx, cancel := context.WithCancel(req.Context())
		cancel() // a profile of no length
		req = req.WithContext(ctx)
	}
	if c.key != "" {
		req.Header.Set(httpserver.HeaderAPIKey, c.key)
	}
	if c.session != "" {
		tokens, open := m.sessions[c.session]
		if !open {
			tokens = m.open(c.session)
		}
		req.AddCookie(&http.Cookie{Name: httpserver.SessionCookie, Value: tokens[0]})
		if c.csrf {
			req.Header.Set(httpserver.HeaderCSRF, tokens[1])
		}
		if strings.HasSuffix(path, "/session") || path == "/logout" {
			delete(m.sessions, c.session) // the call may end it
		}
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(leaving{rec, cancel, strings.HasSuffix(path, "/stream")}, req.WithContext(ctx))
	if r.Failed != nil { // a page: without a login it leads there, else it has the code
		if strings.HasPrefix(rec.Header().Get("Location"), "/login?next=") {
			return "unauthorized", rec.Code
		}
		refused := rec.Code == http.StatusUnauthorized || rec.Code == http.StatusForbidden
		if code := regexp.MustCompile(`<code>(\w+)</code>`).FindStringSubmatch(rec.Body.String()); refused && code != nil {
			return code[1], rec.Code
		}
	}
	if rec.Code != http.StatusUnauthorized && rec.Code != http.StatusForbidden {
		return "", rec.Code
	}
	var e apiclient.Error
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		m.Fatalf("%s %s: %s", r.Method, path, rec.Body)
	}
	return cmp.Or(string(e.Code), "no code"), rec.Code
}

// open logs in with a key.
func (m *matrix) open(key string) [2]string {
	m.Helper()
	for _, s := range m.parts.servers {
		if s.Name() != "http-admin" {
			continue
		}
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/api/v2/session", strings.NewReader(`{"key":"`+key+`"}`)))
		var opened apiclient.Session
		if err := json.Unmarshal(rec.Body.Bytes(), &opened); err != nil || rec.Code != http.StatusOK {
			m.Fatalf("login: %d %s", rec.Code, rec.Body)
		}
		m.sessions[key] = [2]string{rec.Result().Cookies()[0].Value, opened.CSRFToken}
		return m.sessions[key]
	}
	m.Fatal("there is no admin listener")
	return [2]string{}
}
