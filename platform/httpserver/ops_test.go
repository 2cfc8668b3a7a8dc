package httpserver

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/telemetry"
)

func TestOpsRoutes(t *testing.T) {
	t.Parallel()
	health := telemetry.NewHealth()
	health.Add("queue", func(context.Context) ([]string, error) { return []string{"slow"}, nil })
	h := New(Options{Name: "ops", Logger: zap.NewNop()}, OpsRoutes(health, telemetry.NewRegistry())...).Handler()
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
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
		if code, _ := get(path, away); code != 403 {
			t.Errorf("%s from elsewhere: %d", path, code)
		}
		if code, _ := get(path, here); code != 200 {
			t.Errorf("%s from here: %d", path, code)
		}
	}
}
