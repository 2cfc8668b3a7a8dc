// Package desttest is the conformance table of webhook destinations: what the other side does, and what must follow.
//
// Principles:
//  1. Real HTTP on loopback; no destination brings a fake of its own.
//  2. A new Encoder is checked by one call of Run.
package desttest

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/modules/forward/internal/httpx"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/secret"
)

// Key is the credential of the table; it must not appear in any result.
const Key = "key-that-nobody-may-see"

type row struct {
	name       string
	status     int
	header     [2]string
	body       string
	do         http.HandlerFunc // instead of an answer
	want       dest.Class
	reason     string
	alive      bool
	retryAfter time.Duration
	detail     string
}

func table() []row {
	const never = time.Duration(0)
	date := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return []row{
		{name: "200", status: 200, want: dest.Delivered, reason: "ok", alive: true},
		{name: "201", status: 201, want: dest.Delivered, reason: "ok", alive: true},
		{name: "202 with a body", status: 202, body: "queued", want: dest.Delivered, reason: "ok", alive: true},
		{name: "204", status: 204, want: dest.Delivered, reason: "ok", alive: true},
		{name: "302", status: 302, header: [2]string{"Location", "/login"}, want: dest.Retry, reason: "http_3xx"},
		{name: "304", status: 304, want: dest.Retry, reason: "http_3xx"},
		{name: "400", status: 400, body: "bad\n field\x00 " + Key, want: dest.Rejected, reason: "http_4xx", alive: true, detail: "HTTP 400: bad  field  [redacted]"},
		{name: "401", status: 401, body: "token expired", want: dest.Retry, reason: "key_refused", detail: "HTTP 401: token expired"},
		{name: "401 later", status: 401, header: [2]string{"Retry-After", "3"}, want: dest.Retry, reason: "key_refused", retryAfter: 3 * time.Second},
		{name: "403", status: 403, want: dest.Retry, reason: "key_refused"},
		{name: "407", status: 407, want: dest.Deferred, reason: "http_407"},
		{name: "600", status: 600, want: dest.Retry, reason: "http_other"},
		{name: "404", status: 404, want: dest.Rejected, reason: "http_4xx", alive: true},
		{name: "413", status: 413, want: dest.Rejected, reason: "http_4xx", alive: true},
		{name: "408", status: 408, want: dest.Deferred, reason: "http_408"},
		{name: "425", status: 425, want: dest.Deferred, reason: "http_425", alive: true},
		{name: "429", status: 429, want: dest.Deferred, reason: "http_429", alive: true, retryAfter: never},
		{name: "429 seconds", status: 429, header: [2]string{"Retry-After", "7"}, want: dest.Deferred, reason: "http_429", alive: true, retryAfter: 7 * time.Second},
		{name: "429 nonsense", status: 429, header: [2]string{"Retry-After", "soon"}, want: dest.Deferred, reason: "http_429", alive: true},
		{name: "429 a year", status: 429, header: [2]string{"Retry-After", "31536000"}, want: dest.Deferred, reason: "http_429", alive: true, retryAfter: dest.MaxRetryAfter},
		{name: "503 date", status: 503, header: [2]string{"Retry-After", date.Add(90 * time.Second).Format(http.TimeFormat)}, want: dest.Retry, reason: "http_5xx", retryAfter: 90 * time.Second},
		{name: "503 past date", status: 503, header: [2]string{"Retry-After", date.Add(-time.Hour).Format(http.TimeFormat)}, want: dest.Retry, reason: "http_5xx"},
		{name: "500", status: 500, body: "oops", want: dest.Retry, reason: "http_5xx", detail: "HTTP 500: oops"},
		{name: "502", status: 502, want: dest.Retry, reason: "http_5xx"},
		{name: "not UTF-8", status: 500, body: "\xff\xfe", want: dest.Retry, reason: "http_5xx", detail: "HTTP 500: \uFFFD"},
		{name: "hangs", do: hang, want: dest.Retry, reason: "timeout"},
		{name: "resets", do: reset, want: dest.Retry, reason: "connection_broken"},
		{name: "speaks no HTTP", do: babble, want: dest.Retry, reason: "connection_broken"},
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func reset(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset instead of an orderly end
		_ = conn.Close()
	}
}

func babble(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
		_ = conn.Close()
	}
}

// Run checks an encoder behind the HTTP destination.
func Run(t *testing.T, e dest.Encoder) {
	alerts := Alerts()
	for _, r := range table() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.serve(t, w, req) }))
			defer s.Close()
			timeout := 10 * time.Second
			if r.reason == dest.ReasonTimeout {
				timeout = 50 * time.Millisecond
			}
			r.check(t, send(t, s.URL, timeout, t.Context(), e, alerts))
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		s := httptest.NewServer(http.NotFoundHandler())
		s.Close()
		row{want: dest.Deferred, reason: "unreachable"}.check(t, send(t, s.URL, time.Second, t.Context(), e, alerts))
	})
	t.Run("given up", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // so that the server notices the client's end
			cancel()
			<-r.Context().Done()
		}))
		defer s.Close()
		row{want: dest.Aborted, reason: "aborted"}.check(t, send(t, s.URL, 10*time.Second, ctx, e, alerts))
	})
}

func send(t *testing.T, url string, timeout time.Duration, ctx context.Context, e dest.Encoder, alerts []*event.Alert) dest.Result {
	t.Helper()
	c, err := httpx.New(httpx.Options{URL: url, Timeout: timeout, Connections: 1,
		Credential: httpx.NewCredential(httpx.Auth{Scheme: httpx.AuthBearer}, func() secret.Secret { return secret.New(Key) })})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return dest.NewHTTP(c, e).Send(ctx, alerts)
}

func (r row) serve(t *testing.T, w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil || !json.Valid(body) {
		t.Errorf("body %q, %v", body, err)
	}
	if strings.Contains(string(body), Key) || req.Header.Get("Authorization") != "Bearer "+Key {
		t.Error("the key belongs in the header and nowhere else")
	}
	if r.do != nil {
		r.do(w, req)
		return
	}
	w.Header().Set("Date", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).Format(http.TimeFormat))
	if r.header[0] != "" {
		w.Header().Set(r.header[0], r.header[1])
	}
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body) // 204 and 304 have none
}

func (r row) check(t *testing.T, got dest.Result) {
	t.Helper()
	if got.Class != r.want || got.Reason != r.reason || got.Alive != r.alive || got.Status != r.status || got.RetryAfter != r.retryAfter {
		t.Errorf("got %+v (%s), want %+v", got, got.Class, r)
	}
	if !strings.HasPrefix(got.Detail, r.detail) || strings.Contains(got.Detail, Key) || strings.ContainsAny(got.Detail, "\n\x00") {
		t.Errorf("detail %q, want %q", got.Detail, r.detail)
	}
	if (got.Detail == "") != (r.want == dest.Delivered) {
		t.Errorf("detail %q", got.Detail)
	}
}

// Alerts returns samples: a plain one, one with everything, and one with nothing but what an event must have.
func Alerts() []*event.Alert {
	full := event.Event{ID: event.ID{1, 2, 3}, ReceivedAt: 1_700_000_000_123_456, Timestamp: 1_699_999_999_000_000,
		Source: event.SourceTrap, Severity: 3, Facility: 4, Hostname: "core-1.example", Message: "BGP \"down\"\n\u2028<b>é\x01",
		CorrelationID: "corr-1", SenderID: "s-1", SourceType: "router", SourceIP: "192.0.2.7", AppName: "bgpd", ProcID: "12",
		MsgID: "M1", TrapOID: "1.3.6.1", Variables: []event.Variable{{OID: "1.3", Type: "string", Value: "a\\b"}},
		Fields: `{"site":"x"}`, TraceParent: "00-aa-bb-01"}
	plain := event.Event{ID: event.ID{9}, ReceivedAt: 1_700_000_000_000_000, Timestamp: 1_600_000_000_000_000,
		Severity: event.Absent, Facility: event.Absent, Hostname: "sw1", Message: "link down"}
	return []*event.Alert{
		{Event: full, Decision: event.Decision{Fate: event.FateForwarded, Handling: event.PageAndTicket, Dev: true, Severity: 4,
			RuleID: 42, RuleName: "bgp", Team: "NOC", Signature: "core-1/bgp", RulesetVersion: 7}},
		{Event: plain, Decision: event.Decision{Fate: event.FateUnhandled, Handling: event.TicketOnly, Severity: 1, Team: "NETO", Signature: "sw1/x"}},
	}
}
