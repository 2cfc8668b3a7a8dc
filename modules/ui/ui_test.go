package ui

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func roles() []authn.Role {
	return []authn.Role{authn.Ingest, authn.Viewer, authn.Operator, authn.Admin}
}

// server is the module on real parts behind the real listener's handler. The key of a role is its name.
func server(t *testing.T) (*Module, *httpserver.Server) {
	t.Helper()
	d := realDeps(t)
	ring := authn.NewKeyring(time.Now)
	d.Keys, d.Gate = ring, httpserver.NewGate(httpserver.GateOptions{Keys: ring})
	m, err := New(DefaultConfig(), d)
	if err != nil {
		t.Fatal(err)
	}
	var keys []authn.Key
	for _, r := range roles() {
		keys = append(keys, authn.Key{Identity: authn.Identity{Name: "key:" + r.String(), Role: r}, Hash: authn.HashSecret(r.String())})
	}
	ring.Swap(keys)
	return m, httpserver.New(httpserver.Options{Name: "admin", Addr: "127.0.0.1:0", Logger: zap.NewNop(), Gate: d.Gate, Sessions: m.Sessions()}, m.Routes()...)
}

func realDeps(t *testing.T) Deps {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "mutt.db"), Connect: sqlite.Options{Synchronous: "OFF"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := sqliteq.Open(t.Context(), filepath.Join(dir, "queue.db"), sqliteq.Options{Synchronous: "OFF"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	dynamic, err := config.NewDynamic(config.NewRegistry(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context) error { return nil }
	return Deps{
		Store: s, Queues: queue.New(q, queue.Options{Process: "test", Owner: "test"}), Dynamic: dynamic, Apply: nothing, Fold: nothing,
		Processes: func(context.Context) ([]apiclient.Process, error) { return nil, nil },
		Hold: func(context.Context, string, apiclient.RotationHold) (apiclient.RotationHeld, error) {
			return apiclient.RotationHeld{}, nil
		},
		Status:  func() Status { return Status{Version: "9.9.9", Commit: "abc", Roles: []string{"ui"}} },
		Assets:  os.DirFS(filepath.Join("..", "..", "web")),
		Secrets: func(context.Context) (apiclient.Secrets, error) { return apiclient.Secrets{}, nil },
	}
}

// want is the least role of every operation, written down a second time: a new route must be decided on here too.
func want() map[string]authn.Role {
	return map[string]authn.Role{
		"GET /": authn.Public, "GET /static/:file": authn.Public, "GET /version": authn.Public,
		"GET /openapi.json": authn.Public, "GET /docs": authn.Public,
		"GET /whoami":   authn.Any,
		"POST /session": authn.Public, "GET /session": authn.Any, "DELETE /session": authn.Any,
		"GET /keys": authn.Admin, "POST /keys": authn.Admin, "GET /keys/:id": authn.Admin, "PATCH /keys/:id": authn.Admin,
		"DELETE /keys/:id": authn.Admin, "POST /keys/:id/rotate": authn.Admin,
		"GET /rules": authn.Viewer, "POST /rules": authn.Operator, "GET /rules/export": authn.Viewer, "POST /rules/import": authn.Operator,
		"POST /rules/test": authn.Viewer, "POST /rules/preview": authn.Viewer,
		"GET /rules/:id": authn.Viewer, "PUT /rules/:id": authn.Operator, "PATCH /rules/:id": authn.Operator, "DELETE /rules/:id": authn.Operator,
		"GET /dev-hosts": authn.Viewer, "POST /dev-hosts": authn.Operator, "DELETE /dev-hosts/:hostname": authn.Operator,
		"GET /teams": authn.Viewer, "POST /teams": authn.Operator, "PUT /teams/:hostname": authn.Operator, "DELETE /teams/:hostname": authn.Operator,
		"GET /config": authn.Viewer, "GET /config/history": authn.Viewer, "GET /config/:key": authn.Viewer,
		"PUT /config/:key": authn.Admin, "DELETE /config/:key": authn.Admin,
		"POST /config/rollback": authn.Operator, "GET /audit/head": authn.Viewer, "GET /audit/verify": authn.Viewer, "GET /audit/:id": authn.Viewer, "GET /audit": authn.Viewer, "GET /config-audit": authn.Viewer, "GET /audit-logs": authn.Viewer,
		"GET /queues": authn.Viewer, "GET /dlq/:queue": authn.Viewer, "GET /dlq/:queue/:id": authn.Viewer,
		"POST /dlq/:queue/replay": authn.Operator, "DELETE /dlq/:queue/:id": authn.Operator,
		"GET /secrets/rotations": authn.Admin, "PUT /secrets/rotations/:secret": authn.Admin, "POST /secrets/rotations/:secret/hold": authn.Admin,
		"GET /secrets":   authn.Admin,
		"GET /processes": authn.Viewer, "GET /metrics": authn.Viewer, "GET /slo": authn.Viewer, "GET /ledger": authn.Viewer,
	}
}

// TestEveryRouteAsksForItsRole walks all routes with every key and without one.
func TestEveryRouteAsksForItsRole(t *testing.T) {
	t.Parallel()
	m, s := server(t)
	table, seen := want(), map[string]int{}
	for _, r := range m.Routes() {
		name := r.Method + " " + strings.TrimPrefix(strings.TrimPrefix(r.Path, "/api/v1"), "/api/v2")
		least, decided := table[name]
		if !decided || r.Role != least {
			t.Errorf("%s %s: asks for %s, the table says %s (in it: %v)", r.Method, r.Path, r.Role, least, decided)
			continue
		}
		seen[name]++
		path := strings.NewReplacer(":id", "0", ":hostname", "x", ":key", "x", ":queue", "x", ":secret", "redis", ":file", "x").Replace(r.Path)
		for _, key := range append(roles(), authn.Public) {
			req := httptest.NewRequest(r.Method, path, nil)
			if key != authn.Public {
				req.Header.Set(httpserver.HeaderAPIKey, key.String())
			}
			rec := httptest.NewRecorder()
			s.Handler().ServeHTTP(rec, req)
			expected := "pass"
			switch {
			case least == authn.Public:
			case key == authn.Public:
				expected = "401"
			case !key.Allows(least):
				expected = "403"
			}
			got := "pass"
			if rec.Code == http.StatusUnauthorized || rec.Code == http.StatusForbidden {
				got = fmt.Sprint(rec.Code)
			}
			if got != expected || rec.Code >= 500 {
				t.Errorf("%s %s as %s: got %d, want %s", r.Method, path, key, rec.Code, expected)
			}
		}
	}
	for name := range table {
		times := 2 // below both prefixes
		switch name {
		case "GET /", "GET /static/:file":
			times = 1
		case "GET /openapi.json", "GET /docs":
			times = 3 // and at the root
		}
		if seen[name] != times {
			t.Errorf("%s: there %d times, want %d", name, seen[name], times)
		}
	}
}

func TestMissingPartsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := New(Config{}, Deps{})
	for _, part := range []string{"Store", "Queues", "Keys", "Gate", "Dynamic", "Apply", "Fold", "Status", "Assets"} {
		if err == nil || !strings.Contains(err.Error(), part+" is missing") {
			t.Errorf("%s is not named: %v", part, err)
		}
	}
	d := realDeps(t)
	d.Assets = os.DirFS(t.TempDir())
	if _, err := New(Config{}, d); err == nil {
		t.Error("a missing template is an error at start")
	}
}

// TestClientAgainstServer drives the server through the client that the CLI uses.
func TestClientAgainstServer(t *testing.T) {
	t.Parallel()
	_, s := server(t)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := apiclient.New(apiclient.Options{BaseURL: "http://" + s.Addr() + "/", Key: "admin", UserAgent: "mutt/test"})
	if err != nil {
		t.Fatal(err)
	}
	do := func(call apiclient.Call, out any) {
		t.Helper()
		if err := c.Do(t.Context(), call, out); err != nil {
			t.Fatalf("%s %v: %v", call.Method, call.Path, err)
		}
	}
	var v apiclient.Version
	do(apiclient.Call{Method: "GET", Path: []string{"version"}}, &v)
	var who apiclient.Whoami
	do(apiclient.Call{Method: "GET", Path: []string{"whoami"}}, &who)
	if v.Version != "9.9.9" || v.Commit != "abc" || who.Name != "key:admin" || who.Role != "admin" {
		t.Fatalf("got %+v %+v", v, who)
	}
	file, err := rule.WriteFile([]rule.Rule{{Name: "a/b c", MatchString: "x", ProdHandling: "Ignore", DevHandling: "Ignore", TeamAssignment: "T", Priority: 3, IsActive: true}})
	if err != nil {
		t.Fatal(err)
	}
	var done apiclient.ImportResult
	do(apiclient.Call{Method: "POST", Path: []string{"rules", "import"}, Query: url.Values{"mode": {"replace"}}, Body: file,
		ContentType: "application/yaml", Reason: "first: größer"}, &done)
	var back []byte
	do(apiclient.Call{Method: "GET", Path: []string{"rules", "export"}, Query: url.Values{"format": {"yaml"}}}, &back)
	var rules apiclient.Rules
	do(apiclient.Call{Method: "GET", Path: []string{"rules"}}, &rules)
	if done.Created != 1 || done.Mode != "replace" || string(back) != string(file) || rules.Rules[0].Priority != 3 {
		t.Fatalf("got %+v, %s, %+v", done, back, rules)
	}
	one := []string{"rules", strconv.FormatInt(rules.Rules[0].ID, 10)}
	err = c.Do(t.Context(), apiclient.Call{Method: "DELETE", Path: one, IfMatch: rules.Rules[0].Revision + 1}, nil)
	if !fault.Is(err, fault.PreconditionFail) {
		t.Fatalf("got %v", err)
	}
	do(apiclient.Call{Method: "DELETE", Path: one, IfMatch: rules.Rules[0].Revision}, nil)
	do(apiclient.Call{Method: "POST", Path: []string{"dev-hosts"}, Body: apiclient.Host{Hostname: "10.0.0.0/8"}}, nil)
	do(apiclient.Call{Method: "DELETE", Path: []string{"dev-hosts", "10.0.0.0/8"}}, nil)
	err = c.Do(t.Context(), apiclient.Call{Method: "PUT", Path: []string{"config", "log_levle"}, Body: map[string]any{"value": "debug"}}, nil)
	if f, ok := fault.As(err); !ok || f.Code != fault.NotFound || f.Field != "key" || !strings.Contains(f.Remedy, "log_level") {
		t.Fatalf("the server's error comes whole: %+v", f)
	}
	var audit apiclient.Changes
	do(apiclient.Call{Method: "GET", Path: []string{"audit"}}, &audit)
	if len(audit.Logs) != 4 || audit.Logs[3].Reason != "first: größer" {
		t.Fatalf("got %+v", audit.Logs)
	}
}
