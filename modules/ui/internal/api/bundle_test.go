package api

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/ui/internal/objectives"
	"github.com/muttproject/mutt/modules/ui/internal/page"
	"github.com/muttproject/mutt/modules/ui/internal/session"
	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/httpserver"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/openapi/openapitest"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is the time in every test.
var noon = time.Date(2026, 11, 23, 12, 30, 15, 0, time.UTC)

// bundle is one API on its own store and queue.
type bundle struct {
	*testing.T
	handler  http.Handler
	api      *API
	logLevel config.Value[string]
	store    *store.Store
	queue    *queue.Queue
	driver   *sqliteq.Driver
	coord    *coord.Local
	ring     *authn.Keyring
	applied  atomic.Int64
	// document holds every request and answer of the bundle to what the API says of itself.
	document *openapitest.Document
}

func newBundle(t *testing.T, change ...func(*Deps)) *bundle {
	t.Helper()
	return newBundleOn(t, store.Options{Path: filepath.Join(t.TempDir(), "mutt.db"),
		Connect: sqlite.Options{Synchronous: "OFF"}, Logger: zap.NewNop(), Now: time.Now}, change...)
}

func newBundleOn(t *testing.T, o store.Options, change ...func(*Deps)) *bundle {
	t.Helper()
	b := &bundle{T: t}
	now := func() time.Time { return noon }
	o.Now = now
	var err error
	b.store, err = store.Open(t.Context(), o)
	b.must(err)
	b.must(b.store.Migrate(t.Context()))
	b.driver, err = sqliteq.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: now})
	b.must(err)
	t.Cleanup(func() {
		if err := b.driver.Close(); err != nil {
			t.Error(err)
		}
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	b.queue = queue.New(b.driver, queue.Options{Registerer: prometheus.NewRegistry(), Process: "test", Owner: "test", Now: now})
	b.coord = coord.NewLocal(now)
	keys, dynamic := configtest.Load(t, declareDynamic, nil)
	b.logLevel = keys.logLevel
	document := NewDocument(nil, dynamic.Registry().Keys())
	docs, err := page.Docs(os.DirFS(filepath.Join("..", "..", "..", "..", "web")), document.Guide())
	b.must(err)
	d := Deps{
		Tryouts: 2, TryoutTime: time.Minute,
		Store: b.store, Queues: b.queue, Dynamic: dynamic, DynamicEnabled: true, Logger: zap.NewNop(), Now: now, Fold: b.fold,
		Document: document.JSON(), Docs: docs, Letters: deadletter.NewBoard(b.queue, b.coord),
		Apply:   func(context.Context) error { b.applied.Add(1); return nil },
		Secrets: func(context.Context) (apiclient.Secrets, error) { return rotating(), nil },
		Processes: func(context.Context) ([]apiclient.Process, error) {
			return []apiclient.Process{{ID: "mutt-1/0190", Name: "mutt-1", Roles: []string{"ui"}, Version: "9.9.9", StartedAt: noon,
				ConfigRevision: 7, SecretVersions: map[string]string{}, Listeners: []string{"admin 127.0.0.1:8090"}}}, nil
		},
		Problems: func(context.Context) (apiclient.Problems, error) {
			return apiclient.Problems{Problems: []apiclient.Problem{{Code: "breaker_open", Severity: "bad", Since: noon, Fact: "the circuit breaker is open",
				Count: 3, Unit: "requests", Remedy: "look at the destination", Runbook: "destination", Processes: []string{"mutt-1"}}}}, nil
		},
		Destinations: func(context.Context) ([]apiclient.Destination, error) {
			status, opened, next := 503, noon, noon.Add(5*time.Second)
			return []apiclient.Destination{{Name: "moog", RateLimit: 50, Breaker: apiclient.BreakerState{State: "open", Since: &opened, Failures: 12, NextProbe: &next},
				LastStatus: &status, LastSent: &opened}}, nil
		},
		Top: func(_ context.Context, by string) (apiclient.Top, error) {
			return apiclient.Top{Items: []apiclient.TopItem{{Name: by + "-1", Events: 7}}, Bounded: true}, nil
		},
		Hold: func(_ context.Context, _ string, h apiclient.RotationHold) (apiclient.RotationHeld, error) {
			return apiclient.RotationHeld{Held: true, Holder: h.Holder, Seconds: 10}, nil
		},
		Version: func() apiclient.Version {
			return apiclient.Version{Product: "MUTT", Version: "9.9.9", APIVersion: httpserver.APIVersion, SupportedVersions: []string{"v1", "v2", "v2.5"}}
		},
	}
	d.Objectives = objectives.FromCounters(objectives.Counters{Store: b.store, Fold: b.fold, Dynamic: keys.objectives, Now: now}).Now
	b.document, err = openapitest.Read(d.Document)
	b.must(err)
	for _, f := range change {
		f(&d)
	}
	b.ring = ringOfRoles(now)
	gate := httpserver.NewGate(httpserver.GateOptions{Keys: b.ring, Now: now, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop()})
	d.Gate, d.SessionIdle = gate, time.Hour
	d.Sessions = session.New(session.Options{Store: b.store, Keys: b.ring, Idle: time.Hour, Max: 12 * time.Hour, Now: now})
	b.api = New(d)
	b.handler = httpserver.New(httpserver.Options{Name: "admin", Door: netguardtest.HTTP(t), Logger: zap.NewNop(), Gate: gate, Sessions: d.Sessions}, b.api.Routes()...).Handler()
	return b
}

// dynamicKeys are the keys of the tests: one of each type, and those of the objectives.
type dynamicKeys struct {
	logLevel   config.Value[string]
	objectives objectives.Dynamic
}

func declareDynamic(d config.Declarer) dynamicKeys {
	d.Whole(config.Whole{Name: "moog_rate_limit", Default: 50, Min: 1, Max: 1e6, Unit: "requests", About: "requests to the destination per moog_rate_period"})
	d.Whole(config.Whole{Name: "moog_rate_period", Default: 1, Min: 1, Max: 3600, Unit: "s", About: "period of moog_rate_limit"})
	d.Number(config.Number{Name: "moog_retry_base_delay", Default: 1, Min: 0.01, Max: 3600, Unit: "s", About: "first retry delay"})
	d.Switch(config.Switch{Name: "circuit_breaker_enabled", Default: true, About: "stop sending while the destination fails"})
	d.Text(config.Text{Name: "unhandled_default_team", Default: "NETO", Longest: 128, About: "team of a meta-alert"})
	d.Text(config.Text{Name: "alerter_shed_mode", Default: "dlq", Options: []string{"dlq", "defer"}, About: "what happens under pressure"})
	return dynamicKeys{
		logLevel:   d.Text(config.Text{Name: "log_level", Default: "info", Options: []string{"debug", "info", "warn", "error"}, About: "least level"}),
		objectives: objectives.DeclareDynamic(d),
	}
}

// ringOfRoles has one key for each role, named like it.
func ringOfRoles(now func() time.Time) *authn.Keyring {
	ring := authn.NewKeyring(now)
	var keys []authn.Key
	for _, role := range []authn.Role{authn.Ingest, authn.Viewer, authn.Operator, authn.Admin} {
		keys = append(keys, authn.Key{Identity: authn.Identity{Name: "key:" + role.String(), Role: role}, Hash: authn.HashSecret(role.String())})
	}
	ring.Swap(keys)
	return ring
}

func (b *bundle) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// fold does what app does: the queue's counters go into the store.
func (b *bundle) fold(ctx context.Context) error {
	counters, err := b.queue.Counters(ctx, 0)
	if err != nil {
		return err
	}
	counts := make([]store.MinuteCount, len(counters))
	for i, c := range counters {
		counts[i] = store.MinuteCount(c)
	}
	if err := b.store.FoldCounts(ctx, counts); err != nil {
		return err
	}
	return b.store.FoldHits(ctx)
}

// request is one call. Path without a prefix stands for /api/v2.
type request struct {
	method, path, body string
	key                string   // the role whose key is sent, admin when empty, "-" for none
	header             []string // name, value, …
	loose              bool     // the server takes more than its document promises
}

func (b *bundle) do(r request) *httptest.ResponseRecorder {
	b.Helper()
	if !strings.HasPrefix(r.path, "/api/") && r.path != "/openapi.json" && r.path != "/docs" {
		r.path = "/api/v2" + r.path
	}
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	if strings.Contains(r.path, "/events/stream") {
		req = req.WithContext(b.briefly())
	}
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Correlation-ID", "test-correlation")
	switch r.key {
	case "":
		req.Header.Set("X-API-KEY", "admin")
	case "-":
	default:
		req.Header.Set("X-API-KEY", r.key)
	}
	for i := 0; i+1 < len(r.header); i += 2 {
		req.Header.Set(r.header[i], r.header[i+1])
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	for _, err := range b.document.Check(openapitest.Exchange{Method: r.method, Target: r.path, Request: req.Header, Body: []byte(r.body),
		Status: rec.Code, Header: rec.Header(), Answer: rec.Body.Bytes()}) {
		if !r.loose || !strings.Contains(err.Error(), "accepted, although") {
			b.Error(err)
		}
	}
	return rec
}

// briefly returns the context of a caller who leaves a stream soon.
func (b *bundle) briefly() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Millisecond)
	b.Cleanup(cancel)
	return ctx
}

func (b *bundle) get(path string) *httptest.ResponseRecorder {
	b.Helper()
	return b.do(request{method: "GET", path: path})
}

// expect does a call and wants a status; it returns the body decoded.
func (b *bundle) expect(status int, r request) map[string]any {
	b.Helper()
	rec := b.do(r)
	if rec.Code != status {
		b.Fatalf("%s %s %s: got %d, want %d: %s", r.method, r.path, r.body, rec.Code, status, rec.Body)
	}
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		b.Fatalf("%s %s: not JSON: %v: %s", r.method, r.path, err, rec.Body)
	}
	return out
}

// refuse wants an error with a status, a field and a part of its message.
func (b *bundle) refuse(status int, field, part string, r request) {
	b.Helper()
	rec := b.do(r)
	var e apiclient.Error
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		b.Fatalf("%s %s: no error form: %s", r.method, r.path, rec.Body)
	}
	if rec.Code != status || e.Field != field || !strings.Contains(e.Message+" "+e.Remedy, part) {
		b.Errorf("%s %s %.80s: got %d %+v, want %d, field %q, %q", r.method, r.path, r.body, rec.Code, e, status, field, part)
	}
}

const sampleRule = `{"name":"link down","match_string":"link down","prod_handling":"Page_and_ticket","dev_handling":"Log_only","team_assignment":"NETOPS"}`

func (b *bundle) createRule(body string) int64 {
	b.Helper()
	return int64(b.expect(http.StatusCreated, request{method: "POST", path: "/rules", body: body})["id"].(float64))
}

// audited counts the rows of the change audit: their ids have no gaps.
func (b *bundle) audited() int64 {
	b.Helper()
	p, err := b.store.Changes(b.Context(), store.ChangeFilter{Limit: 1})
	b.must(err)
	if len(p.Items) == 0 {
		return 0
	}
	return p.Items[0].ID
}

// testID makes the n-th id of a test: a UUIDv7 of noon plus n milliseconds.
func testID(n int) event.ID {
	ms := uint64(noon.UnixMilli() + int64(n))
	var id uuid.UUID
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6], id[8], id[15] = 0x70, 0x80, byte(n)
	return id
}

func testEvent(n int, host, message string) event.Event {
	at := noon.Add(time.Duration(n) * time.Millisecond).UnixMicro()
	return event.Event{ID: testID(n), ReceivedAt: at, Timestamp: at, Source: event.SourceSyslog, Severity: 3, Facility: event.Absent,
		Hostname: host, Message: message, CorrelationID: "corr-" + host}
}

// judge stores audit rows for events with decisions.
func (b *bundle) judge(rows ...store.AuditRow) {
	b.Helper()
	counts := map[event.Fate]int64{}
	for _, r := range rows {
		counts[r.Decision.Fate]++
	}
	e := store.JudgedEntry{Entry: queue.NewEntryID(), Rows: rows}
	for fate, n := range counts {
		e.Counts = append(e.Counts, store.LedgerCount{Minute: noon.Unix() / 60, Source: event.SourceSyslog, Fate: fate, N: n})
	}
	_, err := b.store.Judge(b.Context(), "test", []store.JudgedEntry{e})
	b.must(err)
}

// kill makes dead letters of the events with the given numbers.
func (b *bundle) kill(name queue.Name, numbers ...int) {
	b.Helper()
	ctx := b.Context()
	lease, err := b.driver.Acquire(ctx, queue.LeaseParams{Queue: name, Owner: "test", TTL: time.Minute})
	b.must(err)
	entry := queue.Entry{ID: queue.NewEntryID(), Queue: name, Events: len(numbers), Body: []byte("x")}
	b.must(b.driver.Append(ctx, queue.AppendParams{Entries: []queue.Entry{entry}, Process: "test"}))
	claimed, err := b.driver.Claim(ctx, queue.ClaimParams{Lease: lease, Max: 10}) // others are given back by Yield
	b.must(err)
	if len(claimed) == 0 || claimed[len(claimed)-1].Entry != entry.ID {
		b.Fatalf("claimed %d", len(claimed))
	}
	p := queue.SettleParams{Lease: lease, Ack: []event.ID{entry.ID}, Process: "test"}
	for _, n := range numbers {
		e := testEvent(n, "sw1", "link down")
		body := event.EncodeEvents([]event.Event{e})
		if name == queue.Alert {
			body = event.EncodeAlerts([]event.Alert{{Event: e, Decision: event.Decision{Fate: event.FateForwarded, Handling: event.PageOnly,
				Severity: 4, RuleID: 7, RuleName: "link down", Team: "NETOPS", Signature: "sw1::link down"}}})
		}
		p.Dead = append(p.Dead, queue.DeadLetter{ID: e.ID, Queue: name, Body: body, Hostname: e.Hostname, Code: "rejected",
			Reason: "400 no such source", Attempts: 1, First: noon})
	}
	if name == queue.Alert {
		p.Counts = []queue.Count{{Minute: noon.Unix() / 60, Kind: queue.CountParked, N: int64(len(numbers))}}
	}
	b.must(b.driver.Settle(ctx, p))
	b.must(b.driver.Yield(ctx, lease))
}

// golden compares an answer with testdata/NAME.json.
func (b *bundle) golden(name string, rec *httptest.ResponseRecorder) {
	b.Helper()
	text := regexp.MustCompile(`mutt_[a-z2-7]{58}|("csrf_token":")[A-Za-z0-9_-]{43}`).ReplaceAllString(rec.Body.String(), "${1}random")
	var body any = text
	if strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json") {
		body = json.RawMessage(text)
	}
	headers := map[string]string{}
	for _, h := range []string{"Content-Type", "ETag", "Location", "Content-Disposition", "Retry-After", "X-Api-Deprecated"} {
		if v := rec.Header().Get(h); v != "" {
			headers[h] = v
		}
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	b.must(enc.Encode(map[string]any{"status": rec.Code, "headers": headers, "body": body}))
	file := filepath.Join("testdata", name+".json")
	if *update {
		b.must(os.MkdirAll("testdata", 0o755))
		b.must(os.WriteFile(file, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	b.must(err)
	if d := cmp.Diff(string(want), got.String()); d != "" {
		b.Errorf("%s differs (-want +got); run with -update when it should:\n%s", file, d)
	}
}

// rotating is a rotation of PostgreSQL's password under way.
func rotating() apiclient.Secrets {
	return apiclient.Secrets{Secrets: []apiclient.SecretStatus{{Secret: "postgres", Reason: "n: open connections that still use the old DB_PASS_CURRENT vault:6: 2",
		Processes: []apiclient.ProcessSecret{{ID: "n/1", Name: "n", Loaded: []apiclient.LoadedSecret{{Key: "DB_PASS_CURRENT", Version: "vault:7", Accepted: true}},
			InUse:  []apiclient.SecretUse{{Key: "DB_PASS_CURRENT", Version: "vault:6", Connections: 2, Withdrawn: true}, {Key: "DB_PASS_CURRENT", Version: "vault:7", Connections: 3}},
			Reason: "open connections that still use the old DB_PASS_CURRENT vault:6: 2"}}}}}
}
