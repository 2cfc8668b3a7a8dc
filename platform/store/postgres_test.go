package store_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/store/storetest"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestPostgres runs the suite that every database must pass.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t, testkit.PostgresOptions{TLS: true})
	storetest.Run(t, postgresHarness(server))
}

// BenchmarkPostgres runs with the settings of the product: a commit is on the disk.
func BenchmarkPostgres(b *testing.B) {
	server := testkit.Postgres(b, testkit.PostgresOptions{TLS: true, Fsync: true})
	storetest.Benchmark(b, postgresHarness(server))
}

func postgresHarness(server *testkit.PostgresServer) storetest.Harness {
	return storetest.Harness{Open: func(t testing.TB, o store.Options) storetest.Instance {
		return openPostgres(t, server, o)
	}}
}

func openPostgres(t testing.TB, server *testkit.PostgresServer, o store.Options) storetest.Instance {
	t.Helper()
	o.Postgres = newPool(t, server, server.NewDatabase(t))
	open := func() *store.Store {
		s := openOn(t, o)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	exec := func(query string, args ...any) error {
		_, err := o.Postgres.Exec(t.Context(), query, args...)
		return err
	}
	return storetest.Instance{
		Store: s,
		Exec:  exec,
		Unguard: func() error {
			return errors.Join(exec(`ALTER TABLE config_audit_log DISABLE TRIGGER USER`), exec(`ALTER TABLE config_audit_anchors DISABLE TRIGGER USER`))
		},
		Reopen: func() *store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			server.Stop()
			server.Start()
			return open()
		},
	}
}

func openOn(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newPool(t testing.TB, server *testkit.PostgresServer, database string) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), postgres.Config{
		Host: server.Host, Port: server.Port, Database: database, MaxConns: 6, TLS: tlsconf.Fixed(server.TLS()), Name: "store test",
		Credentials: connect.Only(server.User, server.Password),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}
