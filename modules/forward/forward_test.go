package forward_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/modules/forward"
	"github.com/muttproject/mutt/modules/forward/internal/dest"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/queue"
)

func TestDeliversOverRestartsAndFailures(t *testing.T) {
	t.Parallel()
	for _, batch := range []int{1, 10} {
		t.Run(fmt.Sprintf("batch_max=%d", batch), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, map[string]string{"MOOG_MAX_RETRIES": "50"})
			r.answer = func(n int, _ *http.Request) int {
				switch n % 5 {
				case 0:
					return http.StatusServiceUnavailable
				case 1:
					return http.StatusRequestTimeout
				default:
					return http.StatusOK
				}
			}
			const alerts = 600
			c := forward.Config{BatchMax: batch}
			r.append(0, alerts/2, 50, 20)
			for round := 1; round <= 3; round++ {
				m := r.start(c)
				r.await("progress", func() bool { return len(r.taken()) > round*70 })
				r.stop(m)
			}
			r.append(alerts/2, alerts/2, 50, 20)
			r.start(c)
			r.await("drained", r.empty)
			seen := map[string]int{}
			last := map[int]string{}
			for _, id := range r.taken() {
				seen[id]++
				var n int
				if _, err := fmt.Sscanf(id[19:23]+id[24:], "%x", &n); err != nil {
					t.Fatal(err)
				}
				if id < last[(n-1)%20] {
					t.Errorf("%s overtook one of its signature", id)
				}
				last[(n-1)%20] = id
			}
			for i := range alerts {
				if n := seen[number(i).String()]; n != 1 {
					t.Errorf("alert %d came %d times over orderly stops", i, n)
				}
			}
			if got := r.counters(); got[queue.CountDelivered] != alerts || got[queue.CountParked] != 0 {
				t.Errorf("counters %v", got)
			}
		})
	}
}

func TestDeadLettersCanBeReplayed(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"MOOG_MAX_RETRIES": "1"})
	core, logs := observer.New(zapcore.DebugLevel)
	r.logger = zap.New(core)
	r.answer = func(_ int, req *http.Request) int {
		if req.Header.Get("Authorization") != "Bearer the-key-nobody-sees" {
			t.Error("no credential")
		}
		return http.StatusUnprocessableEntity
	}
	r.append(0, 3, 10, 1)
	m := r.start(forward.Config{})
	r.await("dead", func() bool { return r.depth().Dead == 3 && r.empty() })
	items, err := r.queue.Dead(t.Context(), queue.DeadParams{Queue: queue.Alert, Limit: 10})
	if err != nil || len(items) != 3 || items[0].Code != "rejected" || !strings.HasPrefix(items[0].Reason, "HTTP 422") || items[0].Hostname != "host-0" {
		t.Fatalf("letters %+v, %v", items, err)
	}
	if w, err := m.Ready(t.Context()); err != nil || len(w) != 1 || !strings.Contains(w[0], "HTTP 422") {
		t.Errorf("ready: %v, %v", w, err)
	}
	want := "# HELP mutt_moog_dlq_depth Alerts in the dead letters.\n# TYPE mutt_moog_dlq_depth gauge\nmutt_moog_dlq_depth 3\n" +
		"# HELP mutt_moog_requests_total Requests to the destination, by outcome.\n# TYPE mutt_moog_requests_total counter\n" +
		"mutt_moog_requests_total{reason=\"http_4xx\",status=\"fail\"} 3\nmutt_moog_requests_total{reason=\"ok\",status=\"success\"} 0\n"
	for _, reason := range dest.FailureReasons() {
		if reason != dest.ReasonClient {
			want += fmt.Sprintf("mutt_moog_requests_total{reason=%q,status=\"fail\"} 0\n", reason)
		}
	}
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want), "mutt_moog_dlq_depth", "mutt_moog_requests_total"); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	r.answer = nil
	r.mu.Unlock()
	if n, err := r.queue.Requeue(t.Context(), queue.RequeueParams{Queue: queue.Alert, Limit: 10}); err != nil || n != 3 {
		t.Fatalf("requeued %d, %v", n, err)
	}
	r.await("replayed", func() bool { return r.empty() && len(r.taken()) == 3 })
	if got := r.counters(); got[queue.CountParked] != 3 || got[queue.CountUnparked] != 3 || got[queue.CountDelivered] != 3 {
		t.Errorf("counters %v", got)
	}
	r.stop(m)
	for _, e := range logs.All() {
		if strings.Contains(fmt.Sprint(e), "the-key-nobody-sees") {
			t.Errorf("the key is in the log: %v", e)
		}
	}
	for _, i := range items {
		if bytes.Contains(i.Body, []byte("the-key")) {
			t.Error("the key is in a dead letter")
		}
	}
}

func TestADeadLetterKeepsTheNumberOfItsReplays(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.answer = func(int, *http.Request) int { return http.StatusBadRequest }
	r.append(0, 1, 1, 1)
	r.start(forward.Config{})
	for n := range 3 {
		r.await("dead", func() bool { return r.depth().Dead == 1 && r.empty() })
		items, err := r.queue.Dead(t.Context(), queue.DeadParams{Queue: queue.Alert})
		if err != nil || len(items) != 1 || items[0].ID != number(0) || items[0].Replays != n || items[0].Attempts != n+1 {
			t.Fatalf("after %d replays: %+v, %v", n, items, err)
		}
		if _, err := r.queue.Requeue(t.Context(), queue.RequeueParams{Queue: queue.Alert,
			Revive: []queue.Revival{{ID: number(0), Entry: queue.NewEntryID(), Replays: n + 1}}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"MOOG_RATE_LIMIT": "40"})
	r.append(0, 60, 50, 30)
	r.start(forward.Config{})
	r.await("drained", r.empty)
	r.mu.Lock()
	defer r.mu.Unlock()
	// On a busy machine requests bunch after they were granted, so only the whole is timed here; the exact property is
	// tested in virtual time.
	if took := r.at[59].Sub(r.at[0]); took < 1300*time.Millisecond || took > 10*time.Second {
		t.Errorf("60 requests at 40 per second took %v", took)
	}
}

func TestWithoutADestinationEverythingWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.append(0, 5, 5, 1)
	m := r.module(forward.Config{})
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w, err := m.Ready(t.Context()); err != nil || len(w) != 1 || !strings.Contains(w[0], "MOOG_WEBHOOK_URL") {
		t.Errorf("ready: %v, %v", w, err)
	}
	if d := r.depth(); d.Ready != 5 || d.Claimed != 0 {
		t.Errorf("depth %+v", d)
	}
	r.stop(m)
	r.start(forward.Config{})
	r.await("a destination at last", func() bool { return r.empty() && len(r.taken()) == 5 })
}

func TestBreakerIsInReadyAndMetrics(t *testing.T) {
	t.Parallel()
	r := newRig(t, map[string]string{"CIRCUIT_BREAKER_ENABLED": "true", "CIRCUIT_BREAKER_THRESHOLD": "3", "CIRCUIT_BREAKER_TIMEOUT": "1"})
	r.hook.Close()
	r.append(0, 20, 5, 10)
	m := r.start(forward.Config{Concurrency: 1})
	r.await("open", func() bool {
		w, err := m.Ready(t.Context())
		return err == nil && len(w) == 2 && strings.Contains(w[0], "no connection") && strings.Contains(w[1], "circuit breaker")
	})
	if n, err := testutil.GatherAndCount(r.registry, "mutt_circuit_breaker_state", "mutt_circuit_breaker_state_changes_total"); err != nil || n < 2 {
		t.Errorf("%d series, %v", n, err)
	}
	if d := r.depth(); d.Dead != 0 || d.Live() != 20 {
		t.Errorf("a dead destination costs no alert: %+v", d)
	}
}

// TestHealthNamesNoHost: /health needs no key. What the destination and the network say is in the log.
func TestHealthNamesNoHost(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, c := range map[string]struct{ url, want, hidden string }{
		"an answer":    {"", ": HTTP 503", "db-7.intern.example"},
		"refused":      {gone.URL, ": no connection could be made: it is refused", strings.TrimPrefix(gone.URL, "http://")},
		"no such name": {"http://moog.intern.invalid/", ": no connection could be made: its name is not resolved", "intern.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			core, logs := observer.New(zapcore.WarnLevel)
			r.logger = zap.New(core)
			r.answer = func(int, *http.Request) int { return http.StatusServiceUnavailable }
			r.body = "no upstream: db-7.intern.example"
			r.append(0, 1, 1, 1)
			m := r.start(forward.Config{URL: c.url, Concurrency: 1})
			var w []string
			r.await("a warning", func() bool { w, _ = m.Ready(t.Context()); return len(w) == 1 })
			if !strings.Contains(w[0], c.want) || strings.Contains(w[0], c.hidden) {
				t.Errorf("health says %q", w[0])
			}
			r.await("the log has it", func() bool { return logs.FilterMessageSnippet("the destination fails and alerts wait").Len() == 1 })
			if detail := fmt.Sprint(logs.FilterMessageSnippet("the destination fails and alerts wait").All()[0].ContextMap()["detail"]); !strings.Contains(detail, c.hidden) {
				t.Errorf("the log says %q", detail)
			}
		})
	}
}

func TestOwnCAFileAndGenericFormat(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	tls := httptest.NewTLSServer(http.HandlerFunc(r.serve))
	t.Cleanup(tls.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	r.append(0, 2, 5, 1)
	r.start(forward.Config{URL: tls.URL, Format: "generic", TLS: tlsconf.Config{CAFile: ca}})
	r.await("over TLS", func() bool { return r.empty() && len(r.taken()) == 2 })
}

func TestNewListsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := forward.New(forward.Config{URL: "http://u:hidden@h", Format: "carrier-pigeon", BatchMax: 2000, Concurrency: -1,
		Auth: forward.Auth{Scheme: "digest"}}, forward.Deps{})
	for _, want := range []string{"carrier-pigeon", "batch_max", "concurrency", "timeout", "digest", "MOOG_API_KEY"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), "hidden") {
		t.Error("the password is in the error")
	}
	r := newRig(t, nil)
	r.registry = prometheus.NewRegistry()
	depstest.Refuses(t, r.deps(), func(d forward.Deps) error { _, err := forward.New(complete(forward.Config{}), d); return err })
}

func TestStartAndStopInAnyOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.append(0, 200, 10, 20)
	for range 15 {
		m := r.module(forward.Config{URL: r.hook.URL})
		var wg sync.WaitGroup
		wg.Go(func() { _ = m.Start(t.Context()) }) // refused after Stop
		for range 2 {
			wg.Go(func() { r.stop(m) })
		}
		wg.Wait()
		r.stop(m)
	}
	r.start(forward.Config{})
	r.await("drained", r.empty)
}

func BenchmarkForward(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch_max=%d", batch), func(b *testing.B) {
			r := newRig(b, nil)
			sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				_, _ = io.Copy(io.Discard, req.Body)
			}))
			b.Cleanup(sink.Close)
			r.append(0, b.N, 500, 1000)
			b.ReportAllocs()
			before := cpu(b)
			b.ResetTimer()
			m := r.start(forward.Config{URL: sink.URL, BatchMax: batch})
			for r.depth().Live() > 0 {
				waitShort(b.Context())
			}
			b.StopTimer()
			r.stop(m)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(b.N), "cpu-µs/alert") // the sink's included
		})
	}
}

// cpu gives the time that this process has computed.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func waitShort(ctx context.Context) {
	t := time.NewTimer(2 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
