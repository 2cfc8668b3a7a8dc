package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

func testAway(t *testing.T, p *testkit.PostgresServer) {
	c := config(t, p)
	pool := open(t, c)
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	for name, restart := range map[string]func(){
		"stop": func() { p.Stop(); p.Start() },
		"kill": func() { p.Kill(); p.Start() },
		"terminate": func() {
			p.SQL("postgres", "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = 'mutt'")
		},
	} {
		if err := ask(t, pool); err != nil {
			t.Fatalf("before %s: %v", name, err)
		}
		restart()
		if err := ask(t, pool); err != nil {
			t.Errorf("the first call after %s: %v", name, err)
		}
		restart()
		if _, err := db.ExecContext(t.Context(), "SELECT 1"); err != nil {
			t.Errorf("the first call of database/sql after %s: %v", name, err)
		}
	}
	p.Stop()
	mustFail(t, ask(t, pool), fault.StoreUnavailable, "cannot be reached")
	_, err := postgres.Open(t.Context(), c)
	if f := mustFail(t, err, fault.StoreUnavailable, "cannot be reached"); f.RetryAfter == 0 {
		t.Error("it does not say when to try again")
	}
	p.Start()
	if err := ask(t, pool); err != nil {
		t.Errorf("the first call after the start: %v", err)
	}
}

func testSilent(t *testing.T, p *testkit.PostgresServer) {
	c := config(t, p)
	pool := open(t, c)
	p.Pause()
	defer p.Resume()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := pool.Exec(ctx, "SELECT 1")
	mustFail(t, mayFault(err), fault.StoreUnavailable, "in time")
	_, err = postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "in time")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a call of 300 ms and one that opens took %v", took)
	}
	p.Resume()
	if err := ask(t, pool); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{TLS: true})
	c := config(t, p)
	pool := open(t, c)
	if err := ask(t, pool); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	p.Start()
	if err := ask(t, pool); err != nil {
		t.Fatalf("the first call after a restart: %v", err)
	}
	_, err := postgres.Open(t.Context(), with(c, func(c *postgres.Config) { c.TLS = tlsconf.Fixed(testkit.NewAuthority(t).Client()) }))
	mustFail(t, err, fault.StoreUnavailable, "not trusted")
	_, err = postgres.Open(t.Context(), with(c, func(c *postgres.Config) {
		elsewhere := p.TLS()
		elsewhere.ServerName = "elsewhere"
		c.TLS = tlsconf.Fixed(elsewhere)
	}))
	mustFail(t, err, fault.StoreUnavailable, "not trusted")
	_, err = postgres.Open(t.Context(), with(c, func(c *postgres.Config) { c.TLS = nil }))
	f := mustFail(t, err, fault.StoreUnavailable, "does not let this user in")
	if !strings.Contains(f.Remedy, "DB_TLS_ENABLED") {
		t.Errorf("remedy %q", f.Remedy)
	}
}
