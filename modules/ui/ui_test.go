package ui

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	m, err := New(DefaultConfig(), realDeps(t))
	if err != nil {
		t.Fatal(err)
	}
	ring := authn.NewKeyring(time.Now)
	var keys []authn.Key
	for _, r := range roles() {
		keys = append(keys, authn.Key{Identity: authn.Identity{Name: "key:" + r.String(), Role: r}, Hash: authn.HashSecret(r.String())})
	}
	ring.Swap(keys)
	return m, httpserver.New(httpserver.Options{Name: "admin", Addr: "127.0.0.1:0", Logger: zap.NewNop(), Auth: ring}, m.Routes()...)
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
		Status: func() Status { return Status{Version: "9.9.9", Commit: "abc", Roles: []string{"ui"}} },
		Assets: os.DirFS(filepath.Join("..", "..", "web")),
	}
}

// want is the least role of every operation, written down a second time: a new route must be decided on here too.
func want() map[string]authn.Role {
	return map[string]authn.Role{
		"GET /": authn.Public, "GET /static/:file": authn.Public, "GET /version": authn.Public,
		"GET /whoami": authn.Viewer,
		"GET /rules":  authn.Viewer, "POST /rules": authn.Operator, "GET /rules/export": authn.Viewer, "POST /rules/import": authn.Operator,
		"GET /rules/:id": authn.Viewer, "PUT /rules/:id": authn.Operator, "PATCH /rules/:id": authn.Operator, "DELETE /rules/:id": authn.Operator,
		"GET /dev-hosts": authn.Viewer, "POST /dev-hosts": authn.Operator, "DELETE /dev-hosts/:hostname": authn.Operator,
		"GET /teams": authn.Viewer, "POST /teams": authn.Operator, "PUT /teams/:hostname": authn.Operator, "DELETE /teams/:hostname": authn.Operator,
		"GET /config": authn.Viewer, "GET /config/history": authn.Viewer, "GET /config/:key": authn.Viewer,
		"PUT /config/:key": authn.Admin, "DELETE /config/:key": authn.Admin,
		"GET /audit": authn.Viewer, "GET /config-audit": authn.Viewer, "GET /audit-logs": authn.Viewer,
		"GET /queues": authn.Viewer, "GET /dlq/:queue": authn.Viewer, "GET /dlq/:queue/:id": authn.Viewer,
		"POST /dlq/:queue/replay": authn.Operator, "DELETE /dlq/:queue/:id": authn.Operator,
		"GET /metrics": authn.Viewer, "GET /ledger": authn.Viewer,
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
		path := strings.NewReplacer(":id", "0", ":hostname", "x", ":key", "x", ":queue", "x", ":file", "x").Replace(r.Path)
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
		if times := map[bool]int{true: 1, false: 2}[name == "GET /" || strings.HasPrefix(name, "GET /static")]; seen[name] != times {
			t.Errorf("%s: there %d times, want %d", name, seen[name], times)
		}
	}
}

func TestMissingPartsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := New(Config{}, Deps{})
	for _, part := range []string{"Store", "Queues", "Dynamic", "Apply", "Fold", "Status", "Assets"} {
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
	ctx := t.Context()
	c, err := apiclient.New(apiclient.Options{BaseURL: "http://" + s.Addr() + "/", Key: "admin", UserAgent: "mutt/test"})
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	v, err := c.Version(ctx)
	check(err)
	who, err := c.Whoami(ctx)
	check(err)
	if v.Version != "9.9.9" || v.Commit != "abc" || who.Name != "key:admin" || who.Role != "admin" {
		t.Fatalf("got %+v %+v", v, who)
	}
	file, err := rule.WriteFile([]rule.Rule{{Name: "a/b c", MatchString: "x", ProdHandling: "Ignore", DevHandling: "Ignore", TeamAssignment: "T", Priority: 3, IsActive: true}})
	check(err)
	dry, err := c.ImportRules(ctx, file, apiclient.ImportOptions{DryRun: true, Replace: true})
	check(err)
	done, err := c.ImportRules(ctx, file, apiclient.ImportOptions{Write: apiclient.Write{Reason: "first"}})
	check(err)
	if dry.Created != 1 || !dry.DryRun || dry.Mode != "replace" || done.Created != 1 || done.Mode != "merge" {
		t.Fatalf("got %+v %+v", dry, done)
	}
	rules, err := c.Rules(ctx)
	check(err)
	one, err := c.Rule(ctx, rules[0].ID)
	check(err)
	back, err := c.ExportRules(ctx, "yaml")
	check(err)
	if one.Priority != 3 || string(back) != string(file) {
		t.Fatalf("got %+v, %s", one, back)
	}
	_, err = c.DeleteRule(ctx, one.ID, apiclient.Write{IfMatch: one.Revision + 1})
	if !fault.Is(err, fault.PreconditionFail) {
		t.Fatalf("got %v", err)
	}
	_, err = c.DeleteRule(ctx, one.ID, apiclient.Write{IfMatch: one.Revision, Reason: "over"})
	check(err)
	_, err = c.AddHost(ctx, "10.0.0.0/8", apiclient.Write{Reason: "lab"})
	check(err)
	_, err = c.DeleteHost(ctx, "10.0.0.0/8", apiclient.Write{})
	check(err)
	hosts, err := c.Hosts(ctx)
	check(err)
	teams, err := c.Teams(ctx)
	check(err)
	if len(hosts)+len(teams) != 0 {
		t.Fatalf("got %v %v", hosts, teams)
	}
	changed, err := c.SetConfig(ctx, "log_level", "debug", apiclient.Write{Reason: "look"})
	check(err)
	item, err := c.ConfigItem(ctx, "log_level")
	check(err)
	if changed.OldValue != "info" || item.Value != "debug" || item.Revision != changed.Revision {
		t.Fatalf("got %+v %+v", changed, item)
	}
	_, err = c.UnsetConfig(ctx, "log_level", apiclient.Write{})
	check(err)
	_, err = c.SetConfig(ctx, "log_levle", "debug", apiclient.Write{})
	if f, ok := fault.As(err); !ok || f.Code != fault.NotFound || f.Field != "key" || !strings.Contains(f.Remedy, "log_level") {
		t.Fatalf("the server's error comes whole: %+v", f)
	}
	all, err := c.Config(ctx)
	check(err)
	logs, err := c.AuditLogs(ctx, nil)
	check(err)
	queues, err := c.Queues(ctx)
	check(err)
	dead, err := c.DeadLetters(ctx, "alert", "", 10)
	check(err)
	replayed, err := c.Replay(ctx, "alert", apiclient.ReplayRequest{All: true, Reason: "fixed"})
	check(err)
	if len(all.Items) == 0 || len(logs.Logs) != 0 || len(queues) != 2 || len(dead.Items) != 0 || replayed.Replayed != 0 {
		t.Fatalf("got %v %v %v %v %v", all, logs, queues, dead, replayed)
	}
	id := queue.NewEntryID().String()
	if _, err = c.DeadLetter(ctx, "alert", id); !fault.Is(err, fault.NotFound) {
		t.Fatalf("got %v", err)
	}
	if _, err = c.Discard(ctx, "alert", id, "noise"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("got %v", err)
	}
	m, err := c.Metrics(ctx)
	check(err)
	l, err := c.Ledger(ctx)
	check(err)
	if len(m.Chart24h.Data) != 24 || !l.Judging.Balanced {
		t.Fatalf("got %+v %+v", m, l)
	}
}
