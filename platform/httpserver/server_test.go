package httpserver

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
)

func route(path string, role authn.Role, h echo.HandlerFunc) Route {
	return Route{Method: "GET", Path: path, Role: role, Handler: h}
}

func newGate(ring *authn.Keyring) *Gate {
	return NewGate(GateOptions{Keys: ring, Registerer: prometheus.NewRegistry(), Logger: zap.NewNop(), Now: time.Now})
}

func testServer(t *testing.T) *Server {
	t.Helper()
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{
		{Identity: authn.Identity{Name: "key:v", Role: authn.Viewer}, Hash: authn.HashSecret("viewer-key")},
		{Identity: authn.Identity{Name: "key:a", Role: authn.Admin}, Hash: authn.HashSecret("admin-key")},
	})
	say := func(c echo.Context) error { return c.String(200, Identity(c).Name) }
	return New(Options{Name: "test", Door: netguardtest.HTTP(t), Addr: "127.0.0.1:0", Logger: zap.NewNop(), Gate: newGate(ring)},
		route("/open", authn.Public, say),
		route("/api/v1/read", authn.Viewer, say),
		route("/api/v2/admin", authn.Admin, say),
		route("/panic", authn.Public, func(echo.Context) error { panic("boom") }),
		route("/secret", authn.Public, func(echo.Context) error { return errors.New("dial 10.1.2.3: refused") }),
		route("/full", authn.Public, func(echo.Context) error {
			return fault.New(fault.QueueFull, "full").WithRetryAfter(1500 * time.Millisecond)
		}),
		route("/field", authn.Public, func(echo.Context) error {
			return fault.Field(fault.Unprocessable, "priority", "is no number")
		}),
	)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, path, key string
		status          int
		body            string // substring
		header, value   string
	}{
		{"public", "/open", "", 200, "", "X-API-Version", "v2.5"},
		{"no key", "/api/v1/read", "", 401, `"code":"unauthorized"`, "X-API-Deprecated", "true"},
		{"wrong key", "/api/v1/read", "x", 401, "not known", "", ""},
		{"right key", "/api/v1/read", "viewer-key", 200, "key:v", "", ""},
		{"too little", "/api/v2/admin", "viewer-key", 403, "needs the role admin", "X-API-Deprecated", "false"},
		{"enough", "/api/v2/admin", "admin-key", 200, "key:a", "", ""},
		{"panic", "/panic", "", 500, "a fault inside MUTT", "", ""},
		{"cause is hidden", "/secret", "", 500, "a fault inside MUTT", "", ""},
		{"retry", "/full", "", 503, "queue_full", "Retry-After", "2"},
		{"field", "/field", "", 422, `"error":"priority: is no number"`, "", ""},
		{"no path", "/nowhere", "", 404, "nothing at this path", "", ""},
	}
	h := testServer(t).Handler()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", c.path, nil)
			req.Header.Set(HeaderAPIKey, c.key)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != c.status || !strings.Contains(rec.Body.String(), c.body) {
				t.Fatalf("got %d %s", rec.Code, rec.Body)
			}
			if strings.Contains(rec.Body.String(), "10.1.2.3") {
				t.Fatal("a cause was shown")
			}
			if c.header != "" && rec.Header().Get(c.header) != c.value {
				t.Fatalf("%s is %q", c.header, rec.Header().Get(c.header))
			}
			if rec.Header().Get(HeaderCorrelation) == "" {
				t.Fatal("no correlation id")
			}
			if c.status >= 400 {
				var b apiclient.Error
				if err := json.Unmarshal(rec.Body.Bytes(), &b); err != nil || b.Remedy == "" || b.CorrelationID != rec.Header().Get(HeaderCorrelation) {
					t.Fatalf("incomplete error: %+v %v", b, err)
				}
			}
		})
	}
}

func TestMethodNotAllowedAndBearer(t *testing.T) {
	t.Parallel()
	h := testServer(t).Handler()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/open", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Fatalf("got %d", rec.Code)
	}
	req := httptest.NewRequest("GET", "/api/v1/read", nil)
	req.Header.Set("Authorization", "Bearer viewer-key")
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != 200 {
		t.Fatalf("bearer: got %d", rec.Code)
	}
}

func TestAcceptVersion(t *testing.T) {
	t.Parallel()
	h := testServer(t).Handler()
	for asked, status := range map[string]int{"": 200, "v1": 200, "V2": 200, "2": 200, "v2.5": 200, "2.5": 200, "v9, v2": 200, " v1 ": 200,
		"v3": 406, "v": 406, "latest": 406, "v2.50": 406, "v9,": 406, "vv2": 406} {
		req := httptest.NewRequest("GET", "/api/v1/read", nil)
		req.Header.Set(HeaderAPIKey, "viewer-key")
		req.Header.Set(HeaderAcceptVersion, asked)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != status || rec.Header().Get("X-API-Supported-Versions") != SupportedVersions || rec.Header().Get("X-API-Deprecated") != "true" {
			t.Errorf("%q: got %d %v", asked, rec.Code, rec.Header())
		}
		if status == 406 && (!strings.Contains(rec.Body.String(), `"code":"unsupported_version"`) || !strings.Contains(rec.Body.String(), SupportedVersions)) {
			t.Errorf("%q: got %s", asked, rec.Body)
		}
	}
}

func TestCorrelationIsKeptWhenSane(t *testing.T) {
	t.Parallel()
	h := testServer(t).Handler()
	for id, keep := range map[string]bool{"abc-1": true, "a\"b": false, strings.Repeat("x", 129): false, "<b>": false} {
		req := httptest.NewRequest("GET", "/open", nil)
		req.Header.Set(HeaderCorrelation, id)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if got := rec.Header().Get(HeaderCorrelation); (got == id) != keep {
			t.Errorf("%q: got %q", id, got)
		}
	}
}

func TestLifecycle(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := testServer(t)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + s.Addr() + "/open")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	twin := New(Options{Name: "twin", Door: netguardtest.HTTP(t), Addr: s.Addr(), Logger: zap.NewNop()})
	if err := twin.Start(t.Context()); !fault.Is(err, fault.ListenFailed) || !strings.Contains(err.Error(), s.Addr()) {
		t.Fatalf("a taken port names the address: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := testServer(t).Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
