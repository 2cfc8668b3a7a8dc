package ui

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

func roles() []authn.Role {
	return []authn.Role{authn.Ingest, authn.Viewer, authn.Operator, authn.Admin}
}

// defaults are the settings without configuration.
func defaults() (c Config) {
	static.Defaults(c.Settings())
	return c
}

// server is the module on real parts behind the real listener's handler. The key of a role is its name.
func server(t *testing.T) (*Module, *httpserver.Server) {
	t.Helper()
	d := realDeps(t)
	ring := authn.NewKeyring(time.Now)
	d.Keys, d.Gate = ring, httpserver.NewGate(httpserver.GateOptions{Keys: ring, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now})
	m, err := New(defaults(), d)
	if err != nil {
		t.Fatal(err)
	}
	var keys []authn.Key
	for _, r := range roles() {
		keys = append(keys, authn.Key{Identity: authn.Identity{Name: "key:" + r.String(), Role: r}, Hash: authn.HashSecret(r.String())})
	}
	ring.Swap(keys)
	return m, httpserver.New(httpserver.Options{Name: "admin", Door: netguardtest.HTTP(t), Addr: "127.0.0.1:0", Logger: zap.NewNop(), Gate: d.Gate, Sessions: m.Sessions()}, m.Routes()...)
}

func realDeps(t *testing.T) Deps {
	d, _, _ := realParts(t, time.Now)
	return d
}

// realParts returns the dependencies on a store and queues of their own, by a clock, and both.
func realParts(t *testing.T, now func() time.Time) (Deps, *store.Store, *sqliteq.Driver) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "mutt.db"), Connect: sqlite.Options{Synchronous: "OFF"}, Logger: zap.NewNop(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := sqliteq.Open(t.Context(), filepath.Join(dir, "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: now})
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
	keys, dynamic := configtest.Load(t, func(d config.Declarer) Dynamic { // with those of other modules that pages show
		d.Number(config.Number{Name: "audit_unhandled_sample_percent", Default: 100, Max: 100, Unit: "%", About: "share of unhandled events that is recorded"})
		d.Whole(config.Whole{Name: "max_ingest_queue_size", Default: 1_000_000, Min: 1, Max: 1e9, Unit: "events", About: "events that the ingest queue holds"})
		d.Whole(config.Whole{Name: "alerter_queue_warn_threshold", Default: 100_000, Min: 1, Max: 1e9, Unit: "alerts", About: "waiting alerts that raise a warning"})
		d.Whole(config.Whole{Name: "alerter_queue_shed_threshold", Default: 1_000_000, Min: 1, Max: 1e9, Unit: "alerts", About: "waiting alerts above which new ones are shed"})
		d.Switch(config.Switch{Name: "retention_enabled", Default: true, About: "remove what is past its days"})
		d.Whole(config.Whole{Name: "retention_event_audit_days", Default: 90, Min: 1, Max: 36500, Unit: "days", About: "days that judged events are kept"})
		return DeclareDynamic(d)
	}, nil)
	nothing := func(context.Context) error { return nil }
	return Deps{
		Store: s, Queues: queue.New(q, queue.Options{Registerer: prometheus.NewRegistry(), Now: now, Process: "test", Owner: "test"}), Config: dynamic, Dynamic: keys, DynamicEnabled: true, Apply: nothing, Fold: nothing,
		Letters:      deadletter.NewBoard(q, coord.NewLocal(now)),
		Processes:    func(context.Context) ([]apiclient.Process, error) { return nil, nil },
		Problems:     func(context.Context) (apiclient.Problems, error) { return apiclient.Problems{}, nil },
		Destinations: func(context.Context) ([]apiclient.Destination, error) { return nil, nil },
		Top:          func(context.Context, string) (apiclient.Top, error) { return apiclient.Top{}, nil },
		Hold: func(context.Context, string, apiclient.RotationHold) (apiclient.RotationHeld, error) {
			return apiclient.RotationHeld{}, nil
		},
		Senders: []openapi.Operation{}, Logger: zap.NewNop(), Now: now, OpenTLS: tlsconf.New,
		Status:  func() Status { return Status{Version: "9.9.9", Commit: "abc", Roles: []string{"ui"}} },
		Health:  func(context.Context) Health { return Health{} },
		Assets:  os.DirFS(filepath.Join("..", "..", "web")),
		Secrets: func(context.Context) (apiclient.Secrets, error) { return apiclient.Secrets{}, nil },
	}, s, q
}

func TestMissingPartsAreNamed(t *testing.T) {
	t.Parallel()
	d := realDeps(t)
	d.Keys = authn.NewKeyring(time.Now)
	d.Gate = httpserver.NewGate(httpserver.GateOptions{Keys: d.Keys, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now})
	depstest.Refuses(t, d, func(d Deps) error { _, err := New(defaults(), d); return err }, "Once")
	d.Assets = os.DirFS(t.TempDir())
	if _, err := New(defaults(), d); err == nil {
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
	err = c.Do(t.Context(), apiclient.Call{Method: "PUT", Path: []string{"config", "slo_judging_latency_targe"}, Body: map[string]any{"value": 5}}, nil)
	if f, ok := fault.As(err); !ok || f.Code != fault.NotFound || f.Field != "key" || !strings.Contains(f.Remedy, "slo_judging_latency_target") {
		t.Fatalf("the server's error comes whole: %+v", f)
	}
	var audit apiclient.Changes
	do(apiclient.Call{Method: "GET", Path: []string{"audit"}}, &audit)
	if len(audit.Logs) != 4 || audit.Logs[3].Reason != "first: größer" {
		t.Fatalf("got %+v", audit.Logs)
	}
}
