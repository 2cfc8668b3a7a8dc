package httpserver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/telemetry"
)

// TestHead holds RFC 9110 section 9.3.2 over a connection: HEAD has the status and headers of GET and no body, for
// answers and errors, and a method that a path does not take is answered with those that it does (section 15.5.6).
func TestHead(t *testing.T) {
	t.Parallel()
	health := telemetry.NewHealth(time.Now)
	health.SetReady(true)
	routes := append(OpsRoutes(OpsConfig{}, health, telemetry.NewRegistry()),
		Route{Method: http.MethodGet, Path: "/closed", Role: authn.Viewer, Handler: func(echo.Context) error { return nil }},
		Route{Method: http.MethodGet, Path: "/tagged", Role: authn.Public, Handler: func(c echo.Context) error {
			c.Response().Header().Set("ETag", `"7"`)
			return c.String(http.StatusOK, "seven")
		}},
		Route{Method: http.MethodPut, Path: "/tagged", Role: authn.Public, Handler: func(c echo.Context) error { return c.NoContent(http.StatusNoContent) }})
	gate := newGate(authn.NewKeyring(time.Now))
	server := httptest.NewServer(New(Options{Name: "ops", Door: netguardtest.HTTP(t), Logger: zap.NewNop(), Gate: gate}, routes...).Handler())
	t.Cleanup(server.Close)
	ask := func(method, path string) (int, http.Header, string) {
		req, err := http.NewRequestWithContext(context.Background(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(HeaderCorrelation, "same")
		got, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		got.Header.Del("Date")
		return got.StatusCode, got.Header, string(body)
	}
	for path, status := range map[string]int{"/health": 200, "/livez": 200, "/readyz": 200, "/tagged": 200, "/debug/pprof/cmdline": 401, "/closed": 401, "/nowhere": 404} {
		code, header, body := ask("HEAD", path)
		wantCode, want, _ := ask("GET", path)
		if code != status || wantCode != status || body != "" {
			t.Errorf("HEAD %s: %d %q, GET: %d", path, code, body, wantCode)
		}
		if d := cmp.Diff(want, header); d != "" {
			t.Errorf("headers of HEAD %s: %s", path, d)
		}
	}
	if code, _, _ := ask("HEAD", "/metrics"); code != 200 {
		t.Errorf("HEAD /metrics: %d", code)
	}
	for call, want := range map[string]string{"DELETE /tagged": "GET, HEAD, PUT", "POST /health": "GET, HEAD", "OPTIONS /tagged": "GET, HEAD, PUT"} {
		method, path, _ := strings.Cut(call, " ")
		code, header, _ := ask(method, path)
		for m := range strings.SplitSeq(want, ", ") {
			if !strings.Contains(header.Get("Allow"), m) {
				t.Errorf("%s: %d, Allow: %q, want %s", call, code, header.Get("Allow"), want)
			}
		}
		if wantCode := map[bool]int{true: 204, false: 405}[method == "OPTIONS"]; code != wantCode {
			t.Errorf("%s: %d, want %d", call, code, wantCode)
		}
	}
}
