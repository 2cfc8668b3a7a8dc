package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/apptest"
	"github.com/muttproject/mutt/platform/fault"
)

// onServers makes an App of all roles on servers of the test, and gives what it logs.
func onServers(t *testing.T, s *apptest.Servers, failFast bool) (*app.App, *observer.ObservedLogs) {
	t.Helper()
	env := []string{"MUTT_INGEST_ADDR=127.0.0.1:0", "MUTT_ADMIN_ADDR=127.0.0.1:0", "MUTT_OPS_ADDR=127.0.0.1:0", "MUTT_SYSLOG_UDP_ADDR=off",
		"MUTT_SYSLOG_TCP_ADDR=off", "INGEST_API_KEY=ingest-key-0123456789", "WEBUI_API_KEY=admin-key-0123456789", "MUTT_SHUTDOWN_TIMEOUT=10s"}
	for k, v := range s.Env() {
		env = append(env, k+"="+v)
	}
	cfg, _, err := app.LoadConfig(env)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	return app.New(app.Quiet(app.Options{Config: cfg, Logger: zap.New(core), Migrate: true, FailFast: failFast})), logs
}

// TestStartWaitsForItsServers starts before Redis and PostgreSQL do: the process waits, says for what, and then runs.
// With FailFast it ends instead.
func TestStartWaitsForItsServers(t *testing.T) {
	t.Parallel()
	s := apptest.NewServers(t, "always")
	s.Redis.Stop()
	s.Postgres.Stop()
	hasty, _ := onServers(t, s, true)
	if err := hasty.Start(t.Context()); !fault.Is(err, fault.QueueUnavailable) {
		t.Fatalf("with FailFast: %v", err)
	}

	a, logs := onServers(t, s, false)
	started := make(chan error, 1)
	go func() { started <- a.Start(t.Context()) }()
	for _, server := range []struct {
		name  string
		start func()
	}{{"Redis", s.Redis.Start}, {"PostgreSQL", s.Postgres.Start}} {
		apptest.Eventually(t, "it waits for "+server.name, func() (bool, any) {
			for _, l := range logs.All() {
				if strings.Contains(l.Message, "waiting for "+server.name) {
					return true, nil
				}
			}
			return false, logs.All()
		})
		server.start()
	}
	select {
	case err := <-started:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it did not start though both servers are there")
	}
	stop(t, a)
}

// TestStartIsGivenUp ends the context of a start that waits.
func TestStartIsGivenUp(t *testing.T) {
	t.Parallel()
	s := apptest.NewServers(t, "always")
	s.Redis.Stop()
	a, logs := onServers(t, s, false)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error, 1)
	go func() { started <- a.Start(ctx) }()
	apptest.Eventually(t, "it waits", func() (bool, any) { return logs.Len() > 0, nil })
	cancel()
	select {
	case err := <-started:
		if err == nil {
			t.Fatal("it started without Redis")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits though nobody wants it any more")
	}
}
