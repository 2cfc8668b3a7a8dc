package postgres_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

const wrong = "not-the-password"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func right(p *testkit.PostgresServer) postgres.Credential {
	return postgres.Credential{User: p.User, Password: p.Password}
}

func offer(all ...postgres.Credential) *connect.Credentials { return connect.Known(all...) }

func config(t *testing.T, p *testkit.PostgresServer) postgres.Config {
	t.Helper()
	return postgres.Config{Host: p.Host, Port: p.Port, Database: p.NewDatabase(t), MaxConns: 4, Name: "mutt-test", TLS: tlsconf.Fixed(p.TLS()), Credentials: offer(right(p))}
}

func open(t *testing.T, c postgres.Config) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func mayFault(err error) error { return postgres.Fault(err, fault.StoreUnavailable, "ask") }

func ask(t *testing.T, pool *pgxpool.Pool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := pool.Exec(ctx, "SELECT 1")
	return mayFault(err)
}

// mustFail expects a fault of this code whose text has the words, and neither the password nor the user.
func mustFail(t *testing.T, err error, code fault.Code, words string) *fault.Error {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Code != code || !strings.Contains(f.Message, words) {
		t.Fatalf("not a fault %s with %q: %v", code, words, err)
	}
	if text := err.Error() + f.Remedy; strings.Contains(text, wrong) || strings.Contains(text, testkit.PostgresUser+`"`) || strings.Contains(text, "user=") {
		t.Fatalf("the credential is shown: %v", err)
	}
	return f
}

func TestOneServer(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{})
	t.Run("session", func(t *testing.T) { testSession(t, p) })
	t.Run("credentials", func(t *testing.T) { testCredentials(t, p) })
	t.Run("faults", func(t *testing.T) { testFaults(t, p) })
	t.Run("away", func(t *testing.T) { testAway(t, p) })
	t.Run("silent", func(t *testing.T) { testSilent(t, p) })
}

func testSession(t *testing.T, p *testkit.PostgresServer) {
	c := config(t, p)
	c.MinConns = 2
	pool := open(t, c)
	var name, zone, idle string
	err := pool.QueryRow(t.Context(), "SELECT current_setting('application_name'), current_setting('timezone'), current_setting('idle_in_transaction_session_timeout')").
		Scan(&name, &zone, &idle)
	if err != nil || name != "mutt-test" || zone != "UTC" || idle != "1min" {
		t.Fatalf("application %q, zone %q, idle %q: %v", name, zone, idle, err)
	}
}

func testCredentials(t *testing.T, p *testkit.PostgresServer) {
	c := config(t, p)
	bad := postgres.Credential{User: p.User, Password: secret.New(wrong)}
	c.Credentials = offer(bad, postgres.Credential{User: "nobody", Password: p.Password}, right(p))
	pool := open(t, c)
	if err := ask(t, pool); err != nil {
		t.Fatal(err)
	}
	offered := []postgres.Credential{right(p)}
	c.Credentials = connect.NewCredentials(connect.Options{Source: func() []postgres.Credential { return offered }, Refresh: connect.NoRefresh, Metrics: connect.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()})
	pool = open(t, c)
	const second = "the-second-password"
	p.SQL("postgres", "ALTER ROLE mutt PASSWORD '"+second+"'")
	t.Cleanup(func() { p.SQL("postgres", "ALTER ROLE mutt PASSWORD '"+p.Password.Reveal()+"'") })
	if err := ask(t, pool); err != nil {
		t.Fatalf("open connections survive a rotation: %v", err)
	}
	pool.Reset()
	mustFail(t, ask(t, pool), fault.StoreUnavailable, "refuses the user and password")
	offered = append(offered, postgres.Credential{User: p.User, Password: secret.New(second)})
	if err := ask(t, pool); err != nil {
		t.Fatalf("NEXT is right: %v", err)
	}
	c.Credentials = offer(bad, right(p))
	_, err := postgres.Open(t.Context(), c)
	f := mustFail(t, err, fault.StoreUnavailable, "refuses the user and password")
	if !strings.Contains(f.Remedy, "DB_PASS_CURRENT") || !strings.Contains(f.Remedy, "DB_PASS_NEXT") {
		t.Fatalf("remedy %q", f.Remedy)
	}
	c.Credentials = nil
	_, err = postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "is known")
}

func testFaults(t *testing.T, p *testkit.PostgresServer) {
	c := config(t, p)
	pool := open(t, c)
	for statement, want := range map[string]fault.Code{
		"SELECT 'a'::int": fault.ValueRefused,
		"SELECT 1/0":      fault.ValueRefused,
		"SELECT no_such":  fault.StoreUnavailable,
		"CREATE ROLE x":   fault.StoreUnavailable,
		"CREATE TEMP TABLE t AS SELECT string_agg(md5(i::text), '') AS x FROM generate_series(1, 999) i; CREATE INDEX ON t (x)": fault.ValueRefused,
	} {
		if _, err := pool.Exec(t.Context(), statement); fault.CodeOf(mayFault(err)) != want {
			t.Errorf("%s gives %v", statement, mayFault(err))
		}
	}
	if _, err := pool.Exec(t.Context(), "CREATE TABLE a (n int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "INSERT INTO a VALUES (1), (1)"); !postgres.IsUnique(err) {
		t.Errorf("a second row of one key gives %v", err)
	}
	_, err := postgres.Open(t.Context(), with(c, func(c *postgres.Config) { c.Database = "no_such" }))
	mustFail(t, err, fault.StoreUnavailable, "does not exist")
	_, err = postgres.Open(t.Context(), with(c, func(c *postgres.Config) { c.TLS = tlsconf.Fixed(testkit.NewAuthority(t).Client()) }))
	mustFail(t, err, fault.StoreUnavailable, "does not speak TLS")
	_, err = postgres.Open(t.Context(), with(c, func(c *postgres.Config) { c.Port = 0 }))
	mustFail(t, err, fault.ConfigInvalid, "needs a host")
	_, err = postgres.Open(t.Context(), with(c, func(c *postgres.Config) { c.MinConns = 9 }))
	mustFail(t, err, fault.ConfigInvalid, "9 to 4 connections")
	p.SQL("postgres", "ALTER ROLE mutt CONNECTION LIMIT 0")
	t.Cleanup(func() { p.SQL("postgres", "ALTER ROLE mutt CONNECTION LIMIT -1") })
	_, err = postgres.Open(t.Context(), c)
	mustFail(t, err, fault.StoreUnavailable, "too many connections")
}

func with(c postgres.Config, change func(*postgres.Config)) postgres.Config {
	change(&c)
	return c
}
