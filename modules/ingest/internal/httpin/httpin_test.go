package httpin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

func TestLoneEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	before := time.Now().UnixMicro()
	rec := r.send(t, good("r1", `,"severity":"err","rack":"B2","_correlation_id":"c-9"`), "Content-Type: application/json")
	a := parse(t, rec)
	if rec.Code != 200 || a.Status != "queued" || a.Accepted != nil || a.CorrelationID != "c-9" || a.QueueDepth == nil || *a.QueueDepth != 1 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	if rec.Header().Get("X-Correlation-ID") != "c-9" || rec.Header().Get("X-API-Version") != "v2.5" || rec.Header().Get("X-API-Supported-Versions") == "" {
		t.Fatalf("headers: %v", rec.Header())
	}
	got := r.stored(t)
	if len(got) != 1 {
		t.Fatalf("stored %d events", len(got))
	}
	e := got[0]
	if e.Hostname != "r1" || e.Severity != 3 || e.Source != event.SourceHTTP || e.Fields != `{"rack":"B2"}` || e.CorrelationID != "c-9" ||
		e.ReceivedAt < before || e.ID.Version() != 7 {
		t.Fatalf("stored %+v", e)
	}
}

func TestVersionHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for path, want := range map[string]string{"/ingest": "", "/api/v1/ingest": "true", "/api/v2/ingest": "false"} {
		for _, body := range []string{good("h", ""), "{"} {
			rec := r.send(t, body, "Path: "+path)
			if rec.Header().Get("X-API-Deprecated") != want || rec.Header().Get("X-API-Version") != "v2.5" || rec.Header().Get("X-Correlation-ID") == "" {
				t.Errorf("%s: %d %v", path, rec.Code, rec.Header())
			}
		}
	}
}

func TestCorrelation(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, c := range []struct{ header, member, want string }{
		{"", "", ""}, {"h-1", "", "h-1"}, {"", "m-1", "m-1"}, {"h-1", "m-1", "m-1"}, {"h-1", "not sane", "h-1"}, {"", `\u0000`, ""},
	} {
		rec := r.send(t, good("h", `,"_correlation_id":"`+c.member+`"`), "X-Correlation-ID: "+c.header)
		a, stored := parse(t, rec), r.stored(t)
		if len(stored) != 1 || a.CorrelationID != stored[0].CorrelationID || a.CorrelationID != rec.Header().Get("X-Correlation-ID") {
			t.Fatalf("%+v: %s, stored %+v", c, rec.Body, stored)
		}
		if c.want != "" && a.CorrelationID != c.want || c.want == "" && len(a.CorrelationID) != 36 {
			t.Errorf("%+v: got %q", c, a.CorrelationID)
		}
	}
	rec := r.send(t, "["+good("a", "")+","+good("b", `,"_correlation_id":"own"`)+"]", "X-Correlation-ID: batch-1")
	stored := r.stored(t)
	if a := parse(t, rec); a.CorrelationID != "batch-1" || stored[0].CorrelationID != "batch-1" || stored[1].CorrelationID != "own" {
		t.Fatalf("%s %+v", rec.Body, stored)
	}
}

func TestMixedBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	body := "[" + strings.Join([]string{good("a", ""), `{"hostname":"x"}`, good("b", ""), good("c", `,"timestamp2":1,"facility":99`), `7`}, ",") + "]"
	rec := r.send(t, body)
	a := parse(t, rec)
	if rec.Code != 200 || a.Status != "queued" || *a.Accepted != 2 || a.Rejected != 3 || *a.QueueDepth != 2 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	want := []apiclient.EventError{
		{Index: 1, Field: "events[1].timestamp", Message: "timestamp: missing required fields: timestamp, message"},
		{Index: 3, Field: "events[3].facility", Message: "facility: must be a whole number from 0 to 23 or a name"},
		{Index: 4, Field: "events[4]", Message: "an event is a JSON object, not a number"},
	}
	if d := cmp.Diff(want, a.Errors); d != "" {
		t.Fatal(d)
	}
	if s := r.stored(t); len(s) != 2 || s[0].Hostname != "a" || s[1].Hostname != "b" {
		t.Fatalf("stored %+v", s)
	}
	rec = r.send(t, `[{},{"hostname":5}]`)
	if a = parse(t, rec); rec.Code != 400 || *a.Accepted != 0 || a.Rejected != 2 || len(a.Errors) != 2 || a.Error == "" {
		t.Fatalf("all bad: got %d %s", rec.Code, rec.Body)
	}
	rec = r.send(t, good("a", "")+"\n{bad}\n"+good("b", "")+"\n", "Content-Type: application/x-ndjson")
	if a = parse(t, rec); rec.Code != 200 || *a.Accepted != 2 || len(a.Errors) != 1 || a.Errors[0].Index != 1 {
		t.Fatalf("lines: got %d %s", rec.Code, rec.Body)
	}
	rec = r.send(t, "["+good("a", "")+","+good("b", "")+"]")
	if a = parse(t, rec); a.Errors == nil || *a.Accepted != 2 || a.Rejected != 0 {
		t.Fatalf("an all-good batch has an empty list of errors: %s", rec.Body)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.MaxEvents = 5 })
	ok := good("h", "")
	big := good("h", `,"x":"`+strings.Repeat("a", 257<<10)+`"`)
	cases := []struct {
		name    string
		body    string
		headers []string
		status  int
		code    string // or field, substring of the answer
	}{
		{"no key", ok, []string{"X-API-KEY: "}, 401, "unauthorized"},
		{"unknown key", ok, []string{"X-API-KEY: nope"}, 401, "unauthorized"},
		{"too little", ok, []string{"X-API-KEY: view"}, 403, "forbidden"},
		{"admin may", ok, []string{"X-API-KEY: admin"}, 200, "queued"},
		{"no type", ok, nil, 200, "queued"},
		{"charset", ok, []string{"Content-Type: application/json; charset=UTF-8"}, 200, "queued"},
		{"lines by another name", ok + "\n" + ok, []string{"Content-Type: application/jsonl"}, 200, `"accepted":2`},
		{"wrong charset", ok, []string{"Content-Type: application/json; charset=utf-16"}, 415, "unsupported_media_type"},
		{"form", ok, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		{"malformed type", ok, []string{"Content-Type: ;;"}, 415, "unsupported_media_type"},
		{"unknown encoding", ok, []string{"Content-Encoding: br"}, 415, "unsupported_media_type"},
		{"two encodings", ok, []string{"Content-Encoding: gzip, gzip"}, 415, "unsupported_media_type"},
		{"not gzip", ok, []string{"Content-Encoding: gzip"}, 400, "bad_request"},
		{"not zstd", ok, []string{"Content-Encoding: zstd"}, 400, "bad_request"},
		{"empty", "", nil, 400, "empty"},
		{"empty gzip", "", []string{"Content-Encoding: gzip"}, 400, "bad_request"},
		{"truncated", ok[:30], nil, 400, "ends too early"},
		{"double name", `{"a":1,"a":2}`, nil, 400, "twice"},
		{"missing", `{"hostname":"h"}`, nil, 400, "timestamp, message"},
		{"field", good("h", `,"severity":9`), nil, 400, `"field":"severity"`},
		{"old", `{"hostname":"h","message":"m","timestamp":"1999-01-01T00:00:00Z"}`, nil, 400, `"field":"timestamp"`},
		{"far", `{"hostname":"h","message":"m","timestamp":"2999-01-01T00:00:00Z"}`, nil, 400, `"field":"timestamp"`},
		{"lone large event", big, nil, 413, "too_large"},
		{"lone large event in an array", "[" + big + "]", nil, 413, "too_large"},
		{"lone object over the bound", good("h", `,"x":"`+strings.Repeat("a", 2<<20)+`"`), nil, 413, "too_large"},
		{"lone object over the bound in an array", "[" + good("h", `,"x":"`+strings.Repeat("a", 2<<20)+`"`) + "]", nil, 413, "too_large"},
		{"object over the bound before others", "[" + good("h", `,"x":"`+strings.Repeat("a", 2<<20)+`"`) + "," + ok + "]", nil, 200, `"index":0`},
		{"double name in a batch", "[" + good("h", `,"x":1,"x":1`) + "," + ok + "]", nil, 200, `"index":0`},
		{"large event in a batch", "[" + ok + "," + big + "]", nil, 200, `"index":1`},
		{"most events", "[" + strings.Repeat(ok+",", 4) + ok + "]", nil, 200, `"accepted":5`},
		{"too many events", "[" + strings.Repeat(ok+",", 5) + ok + "]", nil, 413, "too_large"},
		{"too many bad lines", strings.Repeat("x\n", 6), []string{"Content-Type: application/x-ndjson"}, 413, "too_large"},
		{"bad idempotency key", ok, []string{"Idempotency-Key: a b"}, 400, "Idempotency-Key"},
		{"brackets", strings.Repeat("[", 100_000), nil, 400, "nested deeper"},
		{"braces", strings.Repeat(`{"a":`, 100_000), nil, 400, "nested deeper"},
		{"UTF-16", "\xff\xfe{\x00", nil, 400, "bad_request"},
	}
	for _, c := range cases {
		rec := r.send(t, c.body, c.headers...)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.code) {
			t.Errorf("%s: got %d %.300s", c.name, rec.Code, rec.Body)
		}
		if rec.Code >= 400 {
			if a := parse(t, rec); a.Error == "" || a.CorrelationID == "" {
				t.Errorf("%s: incomplete error %s", c.name, rec.Body)
			}
		}
	}
	rec := r.send(t, ok, "X-API-KEY: nope")
	if a := parse(t, rec); a.Code != string(fault.Unauthorized) {
		t.Errorf("got %+v", a)
	}
}

func TestTextIsRepaired(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	rec := r.send(t, `{"hostname":"h","timestamp":`+fmt.Sprint(time.Now().Unix())+`,"message":"a`+"\xff\xfe"+`b\u0000c","k`+"\xff"+`":"\ud800"}`)
	s := r.stored(t)
	if rec.Code != 200 || len(s) != 1 || s[0].Message != "a\ufffd\ufffdbc" || s[0].Fields != "{\"k\ufffd\":\"\\ud800\"}" {
		t.Fatalf("%d %s %+v", rec.Code, rec.Body, s)
	}
	want := "# HELP mutt_ingest_texts_repaired_total Events with a text that was cleaned: invalid UTF-8, control or bidirectional characters, or a name that is too long.\n# TYPE mutt_ingest_texts_repaired_total counter\n"
	for _, source := range []string{"http", "meta", "replay", "snmptrap", "syslog"} {
		n := 0
		if source == "http" {
			n = 1
		}
		want += fmt.Sprintf("mutt_ingest_texts_repaired_total{source=%q} %d\n", source, n)
	}
	if err := testutil.GatherAndCompare(r.metrics, strings.NewReader(want), "mutt_ingest_texts_repaired_total"); err != nil {
		t.Error(err)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.limit.shut.Store(true)
	for body, status := range map[string]int{good("h", ""): 429, "{}": 429, "[{},{}]": 429, "{": 400, "": 400} {
		rec := r.send(t, body)
		if rec.Code != status || status == 429 && rec.Header().Get("Retry-After") != "2" {
			t.Errorf("%q: got %d %v", body, rec.Code, rec.Header())
		}
	}
	if r.limit.asked.Load() != 4 {
		t.Errorf("took %d tokens for 4 events", r.limit.asked.Load())
	}
	r.limit.shut.Store(false)
	if rec := r.send(t, good("h", "")); rec.Code != 200 || r.limit.asked.Load() != 5 {
		t.Errorf("got %d, asked for %d: the limit is asked once per event", rec.Code, r.limit.asked.Load())
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.cap.Store(2)
	if rec := r.send(t, "["+good("a", "")+","+good("b", "")+"]"); rec.Code != 200 {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	rec := r.send(t, good("c", ""))
	if a := parse(t, rec); rec.Code != 503 || a.Code != "queue_full" || rec.Header().Get("Retry-After") == "" {
		t.Fatalf("got %d %s %v", rec.Code, rec.Body, rec.Header())
	}
	if s := r.stored(t); len(s) != 2 {
		t.Fatalf("stored %d", len(s))
	}
	if rec = r.send(t, good("c", "")); rec.Code != 200 {
		t.Fatalf("room again: got %d %s", rec.Code, rec.Body)
	}
}

func TestQueueFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	away := fault.New(fault.QueueUnavailable, "away").WithRetryAfter(3 * time.Second)
	fail := func(err error) { r.writer.instead = func(context.Context, []queue.Item) error { return err } }
	fail(away)
	rec := r.send(t, good("a", ""))
	if rec.Code != 503 || rec.Header().Get("Retry-After") != "3" {
		t.Errorf("away: got %d %v", rec.Code, rec.Header())
	}
	fail(&queue.PartialError{Failed: map[int]error{1: away}})
	rec = r.send(t, "["+good("a", "")+",{},"+good("b", "")+"]")
	want := []apiclient.EventError{{Index: 1, Field: "events[1].hostname", Message: "hostname: missing required fields: hostname, timestamp, message"},
		{Index: 2, Message: "away", Retryable: true}}
	if a := parse(t, rec); rec.Code != 200 || *a.Accepted != 1 || cmp.Diff(want, a.Errors) != "" {
		t.Errorf("in part: got %d %s", rec.Code, rec.Body)
	}
	fail(&queue.PartialError{Failed: map[int]error{0: away, 1: away}})
	if rec = r.send(t, "["+good("a", "")+","+good("b", "")+"]"); rec.Code != 503 || rec.Header().Get("Retry-After") != "3" {
		t.Errorf("wholly: got %d %s", rec.Code, rec.Body)
	}
	fail(&queue.PartialError{Failed: map[int]error{0: fault.New(fault.DuplicateKey, "seen")}})
	if rec = r.send(t, good("a", "")); rec.Code != 200 {
		t.Errorf("repeat: got %d %s", rec.Code, rec.Body)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	id := "0198c5b2-7d4e-7a3c-9f10-2b8d6e4f1a05"
	withID := good("h", `,"id":"`+id+`"`)
	sent := func(body string, headers ...string) int {
		t.Helper()
		if rec := r.send(t, body, headers...); rec.Code != 200 {
			t.Fatalf("got %d %s", rec.Code, rec.Body)
		}
		s := r.stored(t)
		for _, e := range s {
			if e.SenderID == "" || e.SenderID == e.ID.String() {
				t.Fatalf("the sender's id is not kept beside MUTT's: %+v", e)
			}
		}
		return len(s)
	}
	steps := []struct {
		what    string
		body    string
		headers []string
		stored  int
	}{
		{"first", withID, nil, 1},
		{"repeat", withID, nil, 0},
		{"upper case", good("h", `,"id":"`+strings.ToUpper(id)+`"`), nil, 0},
		{"another sender", withID, []string{"X-API-KEY: two"}, 1},
		{"with a header, the own id counts", withID, []string{"Idempotency-Key: k"}, 0},
		{"header", "[" + good("a", "") + ",{}," + good("b", "") + "]", []string{"Idempotency-Key: k-1"}, 2},
		{"header again", "[" + good("a", "") + ",{}," + good("b", "") + "]", []string{"Idempotency-Key: k-1"}, 0},
		{"header, other sender", good("a", ""), []string{"Idempotency-Key: k-1", "X-API-KEY: two"}, 1},
		{"header, longer", "[" + good("a", "") + "," + good("n", "") + "," + good("b", "") + "]", []string{"Idempotency-Key: k-1"}, 1},
		{"twice in one request", "[" + good("h", `,"id":"`+uuid.Nil.String()+`"`) + "," + good("h", `,"id":"`+uuid.Nil.String()+`"`) + "]", nil, 1},
	}
	for _, s := range steps {
		if n := sent(s.body, s.headers...); n != s.stored {
			t.Errorf("%s: %d stored, want %d", s.what, n, s.stored)
		}
	}
	// UUIDv5(key, i) of a key that is a UUID itself, by an independent implementation.
	sent(good("z", ""), "Idempotency-Key: "+id)
	rec := r.send(t, "["+good("z", "")+","+good("y", `,"id":"`+uuid.NewSHA1(uuid.MustParse(id), []byte("0")).String()+`"`)+"]", "Idempotency-Key: "+uuid.NewString())
	if s := r.stored(t); rec.Code != 200 || len(s) != 1 || s[0].Hostname != "z" {
		t.Errorf("the id is UUIDv5(key, index): stored %+v", s)
	}
}

func TestAdminConfig(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	get := func(key string) (int, string) {
		req, rec := newGet(t, "/admin/config", key)
		r.handler.ServeHTTP(rec, req)
		return rec.Code, rec.Body.String()
	}
	if code, _ := get(""); code != http.StatusUnauthorized {
		t.Errorf("without a key: %d", code)
	}
	if code, _ := get("one"); code != http.StatusForbidden {
		t.Errorf("with an ingest key: %d", code)
	}
	code, body := get("admin")
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); code != 200 || err != nil {
		t.Fatalf("%d %s %v", code, body, err)
	}
	want := map[string]any{"static": map[string]any{"a": 1.0}, "dynamic": map[string]any{"log_level": "info"}, "dynamic_config_enabled": true}
	if d := cmp.Diff(want, v); d != "" {
		t.Error(d)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, step := range [][]string{{good("h", "")}, {good("h", `,"severity":"odd"`)}, {"["}, {"[{}]"}, {good("h", ""), "X-API-KEY: nope"}} {
		r.send(t, step[0], step[1:]...)
	}
	want := `
# HELP mutt_ingest_events_total Events handed to the ingest queue, by source and result.
# TYPE mutt_ingest_events_total counter
mutt_ingest_events_total{result="accepted",source="http"} 2
mutt_ingest_events_total{result="accepted",source="meta"} 0
mutt_ingest_events_total{result="accepted",source="replay"} 0
mutt_ingest_events_total{result="accepted",source="snmptrap"} 0
mutt_ingest_events_total{result="accepted",source="syslog"} 0
mutt_ingest_events_total{result="failed",source="http"} 0
mutt_ingest_events_total{result="failed",source="meta"} 0
mutt_ingest_events_total{result="failed",source="replay"} 0
mutt_ingest_events_total{result="failed",source="snmptrap"} 0
mutt_ingest_events_total{result="failed",source="syslog"} 0
mutt_ingest_events_total{result="refused",source="http"} 0
mutt_ingest_events_total{result="refused",source="meta"} 0
mutt_ingest_events_total{result="refused",source="replay"} 0
mutt_ingest_events_total{result="refused",source="snmptrap"} 0
mutt_ingest_events_total{result="refused",source="syslog"} 0
mutt_ingest_events_total{result="repeated",source="http"} 0
mutt_ingest_events_total{result="repeated",source="meta"} 0
mutt_ingest_events_total{result="repeated",source="replay"} 0
mutt_ingest_events_total{result="repeated",source="snmptrap"} 0
mutt_ingest_events_total{result="repeated",source="syslog"} 0
# HELP mutt_ingest_queue_depth Events that wait in the ingest queue.
# TYPE mutt_ingest_queue_depth gauge
mutt_ingest_queue_depth 2
# HELP mutt_ingest_rate_limit_hits_total Submissions refused by the event rate limit.
# TYPE mutt_ingest_rate_limit_hits_total counter
mutt_ingest_rate_limit_hits_total 0
# HELP mutt_ingest_requests_total Requests to the ingest endpoints, by outcome (success or fail) and reason (a fault code).
# TYPE mutt_ingest_requests_total counter
mutt_ingest_requests_total{reason="",status="success"} 2
mutt_ingest_requests_total{reason="bad_request",status="fail"} 1
mutt_ingest_requests_total{reason="invalid_field",status="fail"} 1
mutt_ingest_requests_total{reason="unauthorized",status="fail"} 1
# HELP mutt_ingest_unknown_words_total Events whose severity or facility named nothing; the word is kept in fields.
# TYPE mutt_ingest_unknown_words_total counter
mutt_ingest_unknown_words_total{field="facility"} 0
mutt_ingest_unknown_words_total{field="severity"} 1
`
	if err := testutil.GatherAndCompare(r.metrics, strings.NewReader(want), "mutt_ingest_events_total", "mutt_ingest_queue_depth",
		"mutt_ingest_rate_limit_hits_total", "mutt_ingest_requests_total", "mutt_ingest_unknown_words_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(r.metrics, "mutt_ingest_latency_seconds"); n != 1 {
		t.Error("no latency")
	}
}

// TestConcurrentSenders: pooled parts never leak from one request into another, and every 200 is in the queue.
func TestConcurrentSenders(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const senders, each = 8, 40
	done := make(chan int, senders)
	for s := range senders {
		go func() {
			ok := 0
			for i := range each {
				host := fmt.Sprintf("s%d-%d", s, i)
				body := good(host, `,"app_name":"`+strings.Repeat(`\u0061`, i)+`","o":{"h":"`+host+`"}`)
				if rec := r.send(t, body); rec.Code == 200 {
					ok++
				}
			}
			done <- ok
		}()
	}
	total := 0
	for range senders {
		total += <-done
	}
	seen := map[string]bool{}
	for _, e := range r.stored(t) {
		if e.Fields != `{"o":{"h":"`+e.Hostname+`"}}` || strings.Trim(e.AppName, "a") != "" {
			t.Fatalf("mixed up: %+v", e)
		}
		seen[e.Hostname] = true
	}
	if total != senders*each || len(seen) != total {
		t.Fatalf("%d answered 200, %d stored", total, len(seen))
	}
}

// TestSourceRate: a batch is taken whole, and what it is over the rate of its source delays the next request, which is not read.
func TestSourceRate(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.rate.Store(1)
	batch := "[" + strings.Repeat(good("h", "")+",", 9) + good("h", "") + "]"
	if rec := r.send(t, batch); rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	rec := r.send(t, "{") // would be a 400
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "8" || !strings.Contains(rec.Body.String(), "source_max_rate") {
		t.Errorf("%d, Retry-After %q: %s", rec.Code, rec.Header().Get("Retry-After"), rec.Body)
	}
	r.rate.Store(0)
	if rec := r.send(t, good("h", "")); rec.Code != http.StatusOK {
		t.Errorf("without a rate: %d %s", rec.Code, rec.Body)
	}
	if n := len(r.stored(t)); n != 11 {
		t.Errorf("%d events are stored", n)
	}
}
