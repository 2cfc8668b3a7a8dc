package app_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/fault"
)

// newApp makes an App of all roles with settings of its own.
func newApp(t *testing.T, dir string, env ...string) *app.App {
	t.Helper()
	cfg, warnings, err := app.LoadConfig(append([]string{"MUTT_DATA_DIR=" + dir, "MUTT_INGEST_ADDR=127.0.0.1:0", "MUTT_ADMIN_ADDR=127.0.0.1:0",
		"MUTT_OPS_ADDR=off", "MUTT_SYSLOG_UDP_ADDR=127.0.0.1:0", "MUTT_SYSLOG_TCP_ADDR=off"}, env...))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	return app.New(app.Quiet(app.Options{Config: cfg}))
}

// stop ends an App; the test's own context may have ended.
func stop(t *testing.T, a *app.App) {
	t.Helper()
	if err := a.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestEachRoleStarts starts every role by itself: it has what it needs, listens where it should and nowhere else, and
// leaves nothing behind.
func TestEachRoleStarts(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, role := range app.Roles() {
		m := apptest.Start(t, apptest.Options{Roles: app.RoleSet{role}, NoDestination: true})
		for name, open := range map[string]struct{ is, want bool }{
			"ingest": {m.IngestURL != "", role == app.Ingestor}, "syslog-udp": {m.SyslogUDP != "", role == app.Ingestor},
			"syslog-tcp": {m.SyslogTCP != "", role == app.Ingestor}, "admin": {m.AdminURL != "", role == app.UI}, "ops": {m.OpsURL != "", true},
		} {
			if open.is != open.want {
				t.Errorf("%s: the listener %s is open: %v", role, name, open.is)
			}
		}
		if a := m.Do(http.MethodGet, m.OpsURL+"/readyz", nil); a.Status != 200 {
			t.Errorf("%s is not ready: %s", role, a.Body)
		}
		m.Stop()
	}
}

// TestFailedStartLeavesNothing has the last component fail: what started before it is stopped, so that the next start
// finds the data directory and the ports free.
func TestFailedStartLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, dir, "MUTT_INGEST_ADDR="+taken.Addr().String())
	if err := a.Start(t.Context()); !fault.Is(err, fault.ListenFailed) || !strings.Contains(err.Error(), "ingest") {
		t.Fatalf("start: %v", err)
	}
	stop(t, a) // harmless
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	b := newApp(t, dir)
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, b)
	stop(t, b)
}

// TestOneProcessPerDirectory refuses a second App on a directory that is in use.
func TestOneProcessPerDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := newApp(t, dir), newApp(t, dir)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stop(t, a)
	if err := b.Start(t.Context()); !fault.Is(err, fault.DataDirLocked) || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("the second one: %v", err)
	}
}

// TestRunEndsWithItsContext runs and stops as the command does.
func TestRunEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	a := newApp(t, t.TempDir())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	apptest.Eventually(t, "it listens", func() (bool, any) { return a.Listeners()["ingest"] != "", a.Listeners() })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestStartEndsWithItsContext gives up a start that is cancelled, without a trace.
func TestStartEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := newApp(t, dir).Start(ctx); err == nil {
		t.Fatal("it started")
	}
	a := newApp(t, dir)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, a)
}
