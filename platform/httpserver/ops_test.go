package httpserver

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/authn"
	"github.com/muttproject/mutt/platform/netguard/netguardtest"
	"github.com/muttproject/mutt/platform/telemetry"
)

func TestOpsRoutes(t *testing.T) {
	t.Parallel()
	health := telemetry.NewHealth(time.Now)
	health.Add("queue", telemetry.Advice{}, func(context.Context) ([]string, error) { return []string{"slow"}, nil })
	h := New(Options{Name: "ops", Door: netguardtest.HTTP(t), Logger: zap.NewNop(), Gate: newGate(authn.NewKeyring(time.Now))}, OpsRoutes(OpsConfig{}, health, telemetry.NewRegistry())...).Handler()
	get := func(path, from string) (int, string) {
		req := httptest.NewRequest("GET", path, nil)
		req.RemoteAddr = from
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec.Code, rec.Body.String()
	}
	const here, away = "127.0.0.1:1", "192.0.2.1:1"
	if code, _ := get("/livez", away); code != 200 {
		t.Fatalf("livez %d", code)
	}
	if code, body := get("/readyz", away); code != 503 || body != "unhealthy\n" {
		t.Fatalf("before everything started: %d %s", code, body)
	}
	health.SetReady(true)
	if code, body := get("/health", away); code != 200 || !strings.Contains(body, `"warnings":["queue: slow"]`) {
		t.Fatalf("health %d %s", code, body)
	}
	if code, body := get("/metrics", away); code != 200 || !strings.Contains(body, "go_goroutines") {
		t.Fatalf("metrics %d", code)
	}
}

// TestProfiles: a profile needs an admin key, and unless it is configured a caller on this machine.
func TestProfiles(t *testing.T) {
	t.Parallel()
	ring := authn.NewKeyring(time.Now)
	ring.Swap([]authn.Key{{Identity: authn.Identity{Name: "key:a", Role: authn.Admin}, Hash: authn.HashSecret("admin")},
		{Identity: authn.Identity{Name: "key:o", Role: authn.Operator}, Hash: authn.HashSecret("operator")}})
	for _, c := range []struct {
		remote    bool
		from, key string
		want      int
	}{
		{false, "127.0.0.1", "admin", 200}, {false, "[::1]", "admin", 200}, {false, "127.0.0.1", "", 401}, {false, "127.0.0.1", "operator", 403},
		{false, "192.0.2.1", "admin", 403}, {false, "192.0.2.1", "", 401},
		{true, "192.0.2.1", "admin", 200}, {true, "192.0.2.1", "", 401}, {true, "192.0.2.1", "operator", 403}, {true, "127.0.0.1", "admin", 200},
	} {
		gate := newGate(ring)
		h := New(Options{Name: "ops", Door: netguardtest.HTTP(t), Logger: zap.NewNop(), Gate: gate}, OpsRoutes(OpsConfig{RemoteProfiles: c.remote}, telemetry.NewHealth(time.Now), telemetry.NewRegistry())...).Handler()
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
			req := httptest.NewRequest("GET", path, nil)
			req.RemoteAddr = c.from + ":1"
			req.Header.Set(HeaderAPIKey, c.key)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != c.want {
				t.Errorf("%+v %s: %d", c, path, rec.Code)
			}
		}
	}
}
