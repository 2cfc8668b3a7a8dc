package ingest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// rig is the module on a real queue with real settings.
type rig struct {
	module  *Module
	handler http.Handler
	queue   *queue.Queue
	dynamic *config.Dynamic
	close   func()
}

// local are the settings without configuration, but for listeners on free ports of this machine.
func local() (c Config) {
	static.Defaults(c.Settings())
	c.SyslogUDPAddr, c.SyslogTCPAddr = "127.0.0.1:0", "127.0.0.1:0"
	return c
}

func newDeps(t *testing.T) (Deps, *rig) {
	t.Helper()
	driver, err := sqliteq.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), sqliteq.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(driver, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 1, Process: "test", Owner: "test"})
	w := q.Writer(queue.WriterOptions{})
	keys, dynamic := configtest.Load(t, DeclareDynamic, nil)
	r := &rig{queue: q, dynamic: dynamic, close: func() {
		if err := w.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	}}
	return Deps{Writer: w, Guard: netguardtest.New(t, nil), Partition: q.Partition, Coord: coord.NewLocal(time.Now), Dynamic: keys, Beside: &besides{}, Log: zap.NewNop(), Registerer: prometheus.NewRegistry(), Now: time.Now,
		Depth: func() int64 { return r.depth(t).Live() }, Bytes: func() int64 { return r.depth(t).Bytes }, View: func() ConfigView { return ConfigView{Enabled: true} }}, r
}

func (r *rig) depth(t *testing.T) queue.Depth {
	t.Helper()
	d, err := r.queue.Depth(context.WithoutCancel(t.Context()), queue.Ingest)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newRig(t *testing.T) *rig {
	t.Helper()
	d, r := newDeps(t)
	r.serve(t, d)
	return r
}

// serve makes the module, behind the real listener's handler.
func (r *rig) serve(t *testing.T, d Deps) {
	t.Helper()
	m, err := New(local(), d)
	if err != nil {
		t.Fatal(err)
	}
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:one", Role: authn.Ingest}, Hash: authn.HashSecret("one")}})
	r.module = m
	r.handler = httpserver.New(httpserver.Options{Name: "ingest", Door: netguardtest.HTTP(t), Logger: zap.NewNop(), Gate: httpserver.NewGate(httpserver.GateOptions{Keys: ring, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now}), Around: m.Observe}, m.Routes()...).Handler()
}

func (r *rig) send(t *testing.T, body string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest", strings.NewReader(body))
	req.Header.Set("X-API-KEY", "one")
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	return rec
}

func one() string {
	return fmt.Sprintf(`{"hostname":"h","timestamp":%d,"message":"m"}`, time.Now().Unix())
}

// TestEveryListenerReachesTheQueue sends by HTTP, syslog over TCP and over UDP, and stops in between.
func TestEveryListenerReachesTheQueue(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t)
	defer r.close()
	m := r.module
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if warnings, err := m.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v %v", warnings, err)
	}
	if rec := r.send(t, "["+one()+","+one()+"]"); rec.Code != 200 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	udp, tcp := m.SyslogAddrs()
	for _, addr := range []net.Addr{udp, tcp} {
		conn, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "<189>1 2026-11-23T10:00:00Z sw1 app - - - link down\n"); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond) // the network's delay is real
	defer tick.Stop()
	for late := false; r.depth(t).Live() < 4 && !late; {
		select {
		case <-tick.C:
		case <-deadline:
			late = true
		}
	}
	if n := r.depth(t).Live(); n != 4 {
		t.Fatalf("%d events are queued", n)
	}
	if err := m.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if rec := r.send(t, one()); rec.Code != 200 {
		t.Errorf("requests that run are served while draining: %d", rec.Code)
	}
	for range 2 {
		if err := m.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if rec := r.send(t, one()); rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("after the stop: %d %s", rec.Code, rec.Body)
	}
}

func TestStopBeforeStart(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := newRig(t)
	defer r.close()
	if err := r.module.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.module.Start(t.Context()); err == nil {
		t.Error("started after the stop")
	}
}

// TestRateLimitFollowsTheSettings switches the limit on and off while the module runs.
func TestRateLimitFollowsTheSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	defer r.close()
	expect := func(what string, status int) {
		t.Helper()
		if rec := r.send(t, one()); rec.Code != status {
			t.Errorf("%s: got %d %s", what, rec.Code, rec.Body)
		}
	}
	expect("off", 200)
	r.dynamic.Apply(1, map[string]string{"ingest_rate_limit_enabled": "true", "ingest_max_rate": "2", "ingest_rate_window": "3600"})
	expect("first", 200)
	expect("second", 200)
	if rec := r.send(t, one()); rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("third: got %d %v", rec.Code, rec.Header())
	}
	r.dynamic.Apply(2, map[string]string{"ingest_rate_limit_enabled": "true", "ingest_max_rate": "100", "ingest_rate_window": "3600"})
	expect("raised", 200)
	r.dynamic.Apply(3, nil)
	expect("off again", 200)
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Config){
		"ingest.max_body_bytes takes":  func(c *Config) { c.MaxBodyBytes = -1 },
		`which "hots" is not`:          func(c *Config) { c.RequiredFields = []string{"hots"} },
		"listeners.syslog_udp takes":   func(c *Config) { c.SyslogUDPAddr = "non sense" },
		"ingest.required_fields takes": func(c *Config) { c.RequiredFields = nil },
	} {
		d, r := newDeps(t)
		cfg := local()
		change(&cfg)
		_, err := New(cfg, d)
		r.close()
		if !fault.Is(err, fault.ConfigInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	d, r := newDeps(t)
	defer r.close()
	depstest.Refuses(t, d, func(d Deps) error { _, err := New(local(), d); return err }, "SyslogTCP", "SyslogTLS")
}
