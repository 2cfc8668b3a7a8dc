package httpserver

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

// gated is a server with a gate, a clock of its own and what the gate logs.
type gated struct {
	*testing.T
	*Gate
	now     time.Time
	ring    *authn.Keyring
	logs    *observer.ObservedLogs
	handler http.Handler
}

// limiter lets n requests pass.
type limiter struct{ n int }

func (l *limiter) Take(context.Context) (time.Duration, bool) {
	l.n--
	return 1500 * time.Millisecond, l.n >= 0
}

// sessions knows one, by its token; "away" is a store that cannot be reached.
type sessions struct{ known *authn.Session }

func (s sessions) Peek(ctx context.Context, token string) (*authn.Session, error) {
	return s.Find(ctx, token)
}

func (s sessions) Find(_ context.Context, token string) (*authn.Session, error) {
	switch token {
	case "token":
		return s.known, nil
	case "away":
		return nil, fault.New(fault.StoreUnavailable, "away")
	}
	return nil, fault.New(fault.Unauthorized, "the session has ended")
}

func newGated(t *testing.T) *gated {
	t.Helper()
	g := &gated{T: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return g.now }
	core, logs := observer.New(zap.DebugLevel)
	g.logs, g.ring = logs, authn.NewKeyring(clock)
	g.ring.Swap([]authn.Key{
		{Identity: authn.Identity{Name: "key:v", Role: authn.Viewer}, Hash: authn.HashSecret("viewer-key"), Limit: &limiter{3}},
		{Identity: authn.Identity{Name: "key:i", Role: authn.Ingest}, Hash: authn.HashSecret("ingest-key")},
		{Identity: authn.Identity{Name: "key:old", Role: authn.Admin}, Hash: authn.HashSecret("old-key"), Expires: g.now},
	})
	g.Gate = NewGate(GateOptions{Keys: g.ring, Registerer: prometheus.NewRegistry(), Logger: zap.New(core), Now: clock})
	say := func(c echo.Context) error {
		if s := Session(c); s != nil {
			return c.String(200, "by session "+Identity(c).Name)
		}
		return c.String(200, Identity(c).Name)
	}
	known := &authn.Session{Identity: authn.Identity{Name: "user:anna", Role: authn.Operator}, CSRF: "csrf", Limit: &limiter{4}}
	g.handler = New(Options{Name: "test", Door: netguardtest.HTTP(t), Logger: zap.NewNop(), Gate: g.Gate, Sessions: sessions{known}},
		Route{Method: "GET", Path: "/read", Role: authn.Viewer, Handler: say}, Route{Method: "POST", Path: "/write", Role: authn.Operator, Handler: say},
		Route{Method: "GET", Path: "/any", Role: authn.Any, Handler: say}, Route{Method: "GET", Path: "/admin", Role: authn.Admin, Handler: say}).Handler()
	return g
}

// call makes a call and wants a status and a part of the body.
func (g *gated) call(status int, part, call string, headers ...string) *httptest.ResponseRecorder {
	g.Helper()
	method, path, _ := strings.Cut(call, " ")
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "from" {
			req.RemoteAddr = headers[i+1] + ":1"
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	g.handler.ServeHTTP(rec, req)
	if rec.Code != status || !strings.Contains(rec.Body.String(), part) {
		g.Errorf("%s %v: got %d %s, want %d %s", call, headers, rec.Code, rec.Body, status, part)
	}
	return rec
}

// counted wants a number of refusals for a reason.
func (g *gated) counted(reason string, n float64) {
	g.Helper()
	if got := testutil.ToFloat64(g.failures.WithLabelValues(reason)); got != n {
		g.Errorf("%s: %v refusals, want %v", reason, got, n)
	}
}

func TestGateByKey(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	g.call(200, "key:i", "GET /any", "X-API-KEY", "ingest-key")
	g.call(403, "needs the role viewer", "GET /read", "X-API-KEY", "ingest-key")
	g.call(401, "has expired", "GET /read", "X-API-KEY", "old-key")
	g.call(401, "part is missing", "GET /read", "X-API-KEY", "mutt_abc")
	g.call(401, "no API key was sent", "GET /read")
	for range 3 {
		g.call(200, "key:v", "GET /read", "X-API-KEY", "viewer-key")
	}
	if rec := g.call(429, `"code":"rate_limited"`, "GET /read", "X-API-KEY", "viewer-key"); rec.Header().Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
	}
	for reason, n := range map[string]float64{refusedRole: 1, refusedExpired: 1, refusedDamaged: 1, refusedMissing: 1, refusedRateLimit: 1, refusedUnknown: 0} {
		g.counted(reason, n)
	}
}

// TestFailedAttempts: guesses are limited by source. While they are, a right guess is answered as a wrong one, and a key that MUTT
// generated is let in.
func TestFailedAttempts(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	generated, unknown := authn.NewSecret().Reveal(), authn.NewSecret().Reveal()
	g.ring.Swap([]authn.Key{
		{Identity: authn.Identity{Name: "key:i", Role: authn.Ingest}, Hash: authn.HashSecret("ingest-key")},
		{Identity: authn.Identity{Name: "key:g", Role: authn.Ingest}, Hash: authn.HashSecret(generated)},
		{Identity: authn.Identity{Name: "key:old", Role: authn.Admin}, Hash: authn.HashSecret("old-key"), Expires: g.now},
	})
	for range 10 {
		g.call(200, "key:i", "GET /any", "X-API-KEY", "ingest-key", "from", "192.0.2.1")
		g.call(401, "not known", "GET /read", "X-API-KEY", "guess", "from", "192.0.2.1")
	}
	for range 5 {
		if rec := g.call(429, "too many failed attempts", "GET /read", "X-API-KEY", "guess", "from", "192.0.2.1"); rec.Header().Get("Retry-After") != "6" {
			t.Errorf("Retry-After %q", rec.Header().Get("Retry-After"))
		}
	}
	g.call(401, "no API key was sent", "GET /read", "from", "192.0.2.1")
	same := []string{"X-Correlation-ID", "one", "from", "192.0.2.1"}
	wrong := g.call(429, "too many failed attempts", "GET /any", append(same, "X-API-KEY", "guess")...)
	right := g.call(429, "a key that MUTT generated", "GET /any", append(same, "X-API-KEY", "ingest-key")...)
	if d := cmp.Diff(wrong.Body.String(), right.Body.String()) + cmp.Diff(wrong.Header(), right.Header()); d != "" {
		t.Errorf("a right guess is told from a wrong one: %s", d)
	}
	g.call(429, "too many failed attempts", "GET /any", "X-API-KEY", "old-key", "from", "192.0.2.1")
	g.call(200, "key:g", "GET /any", "X-API-KEY", generated, "from", "192.0.2.1")
	g.call(429, "too many failed attempts", "GET /any", "X-API-KEY", unknown, "from", "192.0.2.1")
	g.call(429, "too many failed attempts", "GET /any", "X-API-KEY", generated[:len(generated)-1]+"0", "from", "192.0.2.1")
	g.call(200, "key:i", "GET /any", "X-API-KEY", "ingest-key", "from", "192.0.2.2")
	g.call(401, "not known", "GET /read", "X-API-KEY", "guess", "from", "192.0.2.2")
	g.counted(refusedUnknown, 12)
	g.counted(refusedThrottled, 9)
	if got := testutil.ToFloat64(g.throttled); got != 10 {
		t.Errorf("%v throttled", got)
	}
	if g.logs.Len() != 2 {
		t.Errorf("logged %v", g.logs.All())
	}
	g.now = g.now.Add(6 * time.Second)
	g.call(200, "key:i", "GET /any", "X-API-KEY", "ingest-key", "from", "192.0.2.1") // an attempt is left again
	g.now = g.now.Add(time.Minute)
	g.call(401, "not known", "GET /read", "X-API-KEY", "guess", "from", "192.0.2.1")
	g.call(401, "has expired", "GET /read", "X-API-KEY", "old-key", "from", "192.0.2.3")
	logged := g.logs.All()
	if len(logged) != 4 || logged[3].ContextMap()["name"] != "key:old" {
		t.Errorf("logged %v", logged)
	}
	for _, l := range logged {
		for _, v := range l.ContextMap() {
			if v == "guess" || v == "old-key" {
				t.Errorf("a secret is logged: %v", l)
			}
		}
	}
}

func TestGateBySession(t *testing.T) {
	t.Parallel()
	g := newGated(t)
	const cookie = SessionCookie + "=token"
	g.call(200, "by session user:anna", "GET /read", "Cookie", cookie)
	g.call(403, `"code":"csrf_token"`, "POST /write", "Cookie", cookie)
	g.call(403, `"code":"csrf_token"`, "POST /write", "Cookie", cookie, HeaderCSRF, "wrong")
	g.call(200, "by session", "POST /write", "Cookie", cookie, HeaderCSRF, "csrf")
	g.call(403, "needs the role admin", "GET /admin", "Cookie", cookie)
	g.call(200, "key:i", "GET /any", "Cookie", cookie, "X-API-KEY", "ingest-key")  // the key that was sent counts
	g.call(401, "not known", "GET /any", "Cookie", cookie, "X-API-KEY", "unknown") // and a wrong one is not passed over
	g.call(401, "no API key", "GET /any", "Cookie", SessionCookie+"=; other=x")    // an empty one is none
	g.call(503, "store_unavailable", "GET /any", "Cookie", SessionCookie+"=away")  // no refusal
	g.call(200, "by session", "GET /any", "Cookie", cookie)
	g.call(429, "rate_limited", "GET /any", "Cookie", cookie)
	for range 9 {
		g.call(401, "session has ended", "GET /any", "Cookie", SessionCookie+"=guess")
	}
	g.call(429, "too many failed attempts", "GET /any", "Cookie", SessionCookie+"=guess")
	g.counted(refusedCSRF, 2)
	g.counted(refusedSession, 10)
}

// TestAdmittingAllocatesNothing is for senders: who is known costs no allocation.
func TestAdmittingAllocatesNothing(t *testing.T) {
	g := newGated(t)
	secret := authn.NewSecret().Reveal()
	g.ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:i", Role: authn.Ingest}, Hash: authn.HashSecret(secret), Limit: &limiter{1 << 30}}})
	c := echo.New().NewContext(httptest.NewRequest("GET", "/any", nil), httptest.NewRecorder())
	if n := testing.AllocsPerRun(100, func() {
		if _, err := g.byKey(c, secret); err != nil {
			t.Error(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	o := GateOptions{Keys: authn.NewKeyring(time.Now), Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now}
	depstest.Refuses(t, o, func(o GateOptions) error { NewGate(o); return nil })
	guarded := Route{Method: "GET", Path: "/", Role: authn.Viewer, Handler: func(echo.Context) error { return nil }}
	depstest.Refuses(t, Options{Logger: zap.NewNop(), Door: netguardtest.HTTP(t), Gate: NewGate(o)}, func(o Options) error { New(o, guarded); return nil }, "Around", "Sessions", "Missing", "TLS")
	New(Options{Logger: zap.NewNop(), Door: netguardtest.HTTP(t)}, Route{Method: "GET", Path: "/", Handler: func(echo.Context) error { return nil }}) // public: no gate
}
