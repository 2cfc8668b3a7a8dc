package forward_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/config/static"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a forwarder's surroundings: a real queue, and a webhook that a test steers.
type rig struct {
	tb       testing.TB
	queue    *queue.Queue
	coord    *coord.Local
	dynamic  forward.Dynamic
	registry *prometheus.Registry
	hook     *httptest.Server
	logger   *zap.Logger
	key      secret.Secret

	mu     sync.Mutex
	body   string                           // of each answer
	answer func(n int, r *http.Request) int // status of the nth request; nil for 200
	n      int
	got    []string // external ids that were taken, in order
	at     []time.Time
}

func newRig(tb testing.TB, env map[string]string) *rig {
	tb.Helper()
	driver, err := sqliteq.Open(tb.Context(), filepath.Join(tb.TempDir(), "queue.db"), sqliteq.Options{Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := driver.Close(); err != nil {
			tb.Error(err)
		}
	})
	defaults := map[string]string{"MOOG_RATE_LIMIT": "1000000", "MOOG_RETRY_BASE_DELAY": "0.01", "CIRCUIT_BREAKER_ENABLED": "false"}
	for k, v := range env {
		defaults[k] = v
	}
	dynamic, _ := configtest.Load(tb, forward.DeclareDynamic, defaults)
	r := &rig{tb: tb, queue: queue.New(driver, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 2, Process: "run", Owner: "test"}),
		coord: coord.NewLocal(time.Now), dynamic: dynamic, logger: zap.NewNop(), key: secret.New("the-key-nobody-sees")}
	r.hook = httptest.NewServer(http.HandlerFunc(r.serve))
	tb.Cleanup(r.hook.Close)
	return r
}

func (r *rig) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	r.at = append(r.at, time.Now())
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(r.n, req)
	}
	if status == http.StatusOK {
		r.got = append(r.got, externalIDs(r.tb, body)...)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, r.body)
}

func externalIDs(tb testing.TB, body []byte) (out []string) {
	var list struct {
		Events []struct {
			ID string `json:"external_id"`
		}
		ID string `json:"external_id"`
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&list); err != nil {
		tb.Error(err)
	}
	if list.ID != "" {
		return []string{list.ID}
	}
	for _, e := range list.Events {
		out = append(out, e.ID)
	}
	return out
}

func (r *rig) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.got...)
}

// start starts a forwarder; zero fields of c are filled in.
func (r *rig) start(c forward.Config) *forward.Module {
	r.tb.Helper()
	if c.URL == "" {
		c.URL = r.hook.URL
	}
	m := r.module(c)
	if err := m.Start(r.tb.Context()); err != nil {
		r.tb.Fatal(err)
	}
	r.tb.Cleanup(func() { r.stop(m) })
	return m
}

// complete fills the zero fields of c with their defaults.
func complete(c forward.Config) forward.Config {
	var d forward.Config
	static.Defaults(d.Settings())
	c.Auth.Scheme = cmp.Or(c.Auth.Scheme, d.Auth.Scheme)
	c.Timeout, c.Format = cmp.Or(c.Timeout, d.Timeout), cmp.Or(c.Format, d.Format)
	c.BatchMax, c.Concurrency = cmp.Or(c.BatchMax, d.BatchMax), cmp.Or(c.Concurrency, d.Concurrency)
	return c
}

func (r *rig) module(c forward.Config) *forward.Module {
	r.tb.Helper()
	r.registry = prometheus.NewRegistry()
	m, err := forward.New(complete(c), r.deps())
	if err != nil {
		r.tb.Fatal(err)
	}
	return m
}

func (r *rig) deps() forward.Deps {
	return forward.Deps{OpenTLS: tlsconf.New, Version: "1", Queue: r.queue, Coord: r.coord, Dynamic: r.dynamic, Registerer: r.registry,
		Key:       func() secret.Secret { return r.key },
		DeadDepth: func() float64 { return float64(r.depth().Dead) }, Logger: r.logger, Now: time.Now}
}

func (r *rig) stop(m *forward.Module) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.tb.Context()), 10*time.Second)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		r.tb.Error(err)
	}
}

func (r *rig) depth() queue.Depth {
	d, err := r.queue.Depth(context.WithoutCancel(r.tb.Context()), queue.Alert)
	if err != nil {
		r.tb.Error(err)
	}
	return d
}

// append puts alerts first..first+n-1 on the queue, in entries of size; host i%hosts, one signature per host.
func (r *rig) append(first, n, size, hosts int) {
	r.tb.Helper()
	open := map[int][]event.Alert{}
	flush := func(p int) {
		batch := open[p]
		delete(open, p)
		e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Alert, Partition: p, Events: len(batch), Body: event.EncodeAlerts(batch)}
		if err := r.queue.Append(r.tb.Context(), []queue.Entry{e}, nil); err != nil {
			r.tb.Fatal(err)
		}
	}
	now := event.Micros(time.Now())
	for i := first; i < first+n; i++ {
		host := fmt.Sprintf("host-%d", i%hosts)
		p := r.queue.Partition(host)
		open[p] = append(open[p], event.Alert{
			Event: event.Event{ID: number(i), Hostname: host, Message: "BGP-5-ADJCHANGE: neighbor 203.0.113.10 Down: Hold Timer Expired, peer closed the session",
				ReceivedAt: now, Timestamp: now, Severity: 3, Facility: 4, Source: event.SourceSyslog, CorrelationID: "c", AppName: "bgpd", SourceIP: "192.0.2.1"},
			Decision: event.Decision{Fate: event.FateForwarded, Handling: event.PageAndTicket, Severity: 4, RuleID: 1, RuleName: "bgp", Team: "NOC", Signature: host + "/bgp"}})
		if len(open[p]) == size {
			flush(p)
		}
	}
	for p := range open {
		flush(p)
	}
}

// number makes the id of alert n; the zero id is none.
func number(n int) (id event.ID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n+1))
	return id
}

// await polls until done; the storage and the network are real here.
func (r *rig) await(what string, done func() bool) {
	r.tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			r.tb.Fatalf("%s: depth %+v, %d taken", what, r.depth(), len(r.taken()))
		}
	}
}

func (r *rig) empty() bool { return r.depth().Live() == 0 }

func (r *rig) counters() map[string]int64 {
	rows, err := r.queue.Counters(r.tb.Context(), 0)
	if err != nil {
		r.tb.Fatal(err)
	}
	out := map[string]int64{}
	for _, c := range rows {
		out[c.Kind] += c.N
	}
	return out
}
