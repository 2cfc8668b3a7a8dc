package httpin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ingest/internal/decode"
	"github.com/muttproject/mutt/modules/ingest/internal/intake"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/openapi"
	"github.com/muttproject/mutt/platform/openapi/openapitest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// rig is a handler behind the real HTTP server, keys and SQLite queue.
type rig struct {
	routes   []httpserver.Route
	document *openapitest.Document // holds the answers to what the API says of itself
	handler  http.Handler
	bodies   *bodyReader
	driver   queue.Driver
	queue    *queue.Queue
	metrics  *prometheus.Registry
	limit    *gate
	rate     atomic.Int64 // of each source
	cap      atomic.Int64
	writer   swap
}

// gate refuses events while it is shut.
type gate struct {
	shut  atomic.Bool
	asked atomic.Int64
}

func (g *gate) Take(_ context.Context, n int64) (time.Duration, bool, error) {
	g.asked.Add(n)
	return 1500 * time.Millisecond, !g.shut.Load(), nil
}

// swap lets a test put failures in the writer's place.
type swap struct {
	real    intake.Writer
	instead func(ctx context.Context, items []queue.Item) error
}

func (s *swap) Append(ctx context.Context, items []queue.Item) error {
	if s.instead != nil {
		return s.instead(ctx, items)
	}
	return s.real.Append(ctx, items)
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	driver, err := sqliteq.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), sqliteq.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(driver, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 1, Process: "test", Owner: "test"})
	r := &rig{driver: driver, queue: q, metrics: prometheus.NewRegistry(), limit: &gate{}}
	if r.document, err = openapitest.Read(openapi.New(openapi.Info{Error: apiclient.Error{}, Headers: map[string]string{"Retry-After": "seconds"}}, Operations()).JSON()); err != nil {
		t.Fatal(err)
	}
	w := q.Writer(queue.WriterOptions{Cap: r.cap.Load})
	r.writer.real = w
	t.Cleanup(func() {
		if err := w.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	r.serve(t, change)
	return r
}

// serve builds what stands before the queue.
func (r *rig) serve(t testing.TB, change func(*Config)) {
	guard := netguardtest.New(t, nil)
	aliases, err := decode.ParseAliases(strings.Split("host=hostname,@timestamp=timestamp,time=timestamp,msg=message,log=message", ","))
	if err != nil {
		panic(err)
	}
	cfg := Config{MaxBody: 10 << 20, MaxDecoded: 64 << 20, MaxMemory: 256 << 20, MaxEvents: 10_000, Required: []string{"hostname", "timestamp", "message"}, Aliases: aliases}
	if change != nil {
		change(&cfg)
	}
	in := intake.New(intake.Deps{Writer: &r.writer, Partition: r.queue.Partition, Depth: r.depth, Limiter: r.limit, Now: time.Now,
		Metrics: intake.NewMetrics(r.metrics)}, intake.Limits{MaxEvent: intake.MaxEvent})
	h := New(cfg, Deps{Intake: in, Metrics: NewMetrics(r.metrics, r.depth, r.depth), View: func() ConfigView {
		return ConfigView{Static: map[string]any{"a": 1}, Dynamic: map[string]any{"log_level": "info"}, Enabled: true}
	}, Now: time.Now, Guard: guard, Rate: guard.NewRate(r.rate.Load), TurnedAway: func(error, int) {}})
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{
		{Identity: authn.Identity{Name: "key:one", Role: authn.Ingest}, Hash: authn.HashSecret("one")},
		{Identity: authn.Identity{Name: "key:two", Role: authn.Ingest}, Hash: authn.HashSecret("two")},
		{Identity: authn.Identity{Name: "key:bootstrap-ingest", Role: authn.Ingest, Bootstrap: true}, Hash: authn.HashSecret("boot")},
		{Identity: authn.Identity{Name: "key:view", Role: authn.Viewer}, Hash: authn.HashSecret("view")},
		{Identity: authn.Identity{Name: "key:admin", Role: authn.Admin}, Hash: authn.HashSecret("admin")},
	})
	r.routes, r.bodies = h.Routes(), &h.bodies
	s := httpserver.New(httpserver.Options{Name: "ingest", Door: guard.HTTPDoor("ingest"), Logger: zap.NewNop(), Gate: httpserver.NewGate(httpserver.GateOptions{Keys: ring, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now}), Around: h.Observe}, r.routes...)
	r.handler = s.Handler()
}

func (r *rig) depth() int64 {
	d, err := r.queue.Depth(context.Background(), queue.Ingest) // a gauge has no context
	if err != nil {
		return -1
	}
	return d.Live()
}

// post sends a body with the key "one" and the given headers ("Name: value").
func (r *rig) post(t testing.TB, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest", body)
	req.Header.Set("X-API-KEY", "one")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Path" {
			req.URL.Path = value
			continue
		}
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	r.handler.ServeHTTP(rec, req)
	for _, err := range r.document.Check(openapitest.Exchange{Method: req.Method, Target: req.URL.Path, Request: req.Header, Status: rec.Code,
		Header: rec.Header(), Answer: rec.Body.Bytes()}) {
		if !strings.Contains(err.Error(), "accepted, although") { // what senders send is read with more tolerance than is promised
			t.Error(err)
		}
	}
	return rec
}

func (r *rig) send(t testing.TB, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return r.post(t, strings.NewReader(body), headers...)
}

// stored takes everything out of the queue.
func (r *rig) stored(t testing.TB) []event.Event {
	t.Helper()
	lease, err := r.driver.Acquire(t.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "reader", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var events []event.Event
	for {
		claimed, err := r.driver.Claim(t.Context(), queue.ClaimParams{Lease: lease, Max: 100})
		if err != nil {
			t.Fatal(err)
		}
		if len(claimed) == 0 {
			break
		}
		var ack []event.ID
		for _, c := range claimed {
			if events, err = event.DecodeEvents(events, c.Body); err != nil {
				t.Fatal(err)
			}
			ack = append(ack, c.Entry)
		}
		if err := r.driver.Settle(t.Context(), queue.SettleParams{Lease: lease, Ack: ack}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.driver.Yield(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	return events
}

// answer is any answer of the ingest endpoints.
type answer struct {
	Status        string
	Accepted      *int
	Rejected      int
	Errors        []apiclient.EventError
	Error         string
	Code          string
	Field         string
	Message       string
	CorrelationID string `json:"correlation_id"`
	QueueDepth    *int64 `json:"queue_depth"`
}

func parse(t testing.TB, rec *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatalf("status %d, the answer is no JSON: %v: %.200s", rec.Code, err, rec.Body)
	}
	return a
}

// good makes a valid event with more members (raw JSON after a comma).
func good(host, more string) string {
	return `{"hostname":"` + host + `","timestamp":"` + time.Now().UTC().Format(time.RFC3339) + `","message":"link down"` + more + `}`
}

// repeat makes a reader of n bytes that are never all in memory.
func repeat(c byte, n int64) io.Reader {
	return io.LimitReader(endless(bytes.Repeat([]byte{c}, 64<<10)), n)
}

// endless gives its bytes over and over.
type endless []byte

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }
