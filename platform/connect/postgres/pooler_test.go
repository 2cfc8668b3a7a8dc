package postgres_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

// through returns the configuration of a connection that goes through a pooler.
func through(t *testing.T, p *testkit.PostgresServer, mode string, settings ...string) postgres.Config {
	t.Helper()
	b := testkit.PgBouncer(t, p, mode, settings...)
	return with(config(t, p), func(c *postgres.Config) { c.Host, c.Port = b.Host, b.Port })
}

func TestPgBouncer(t *testing.T) {
	t.Parallel()
	p := testkit.Postgres(t, testkit.PostgresOptions{})
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		c := through(t, p, "session")
		c.MinConns = 4
		pool := open(t, c)
		var all sync.WaitGroup
		for range 8 { // more than there are connections, so that each is used again
			all.Go(func() {
				var name, zone, idle string
				err := pool.QueryRow(t.Context(), "SELECT current_setting('application_name'), current_setting('timezone'), current_setting($1)",
					"idle_in_transaction_session_timeout").Scan(&name, &zone, &idle)
				if err != nil || name != "mutt-test" || zone != "UTC" || idle != "1min" {
					t.Errorf("application %q, zone %q, idle %q: %v", name, zone, idle, err)
				}
			})
		}
		all.Wait()
	})
	t.Run("a small pool of sessions", func(t *testing.T) { // the look for a shared session gets none, and does not fail
		t.Parallel()
		c := through(t, p, "session", "default_pool_size = 1")
		c.MaxConns = 1
		if err := ask(t, open(t, c)); err != nil {
			t.Error(err)
		}
	})
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			c := through(t, p, mode)
			for _, least := range []int32{0, 4} { // the pool's other connections are opened during the look
				c.MinConns = least
				_, err := postgres.Open(t.Context(), c)
				if f := mustFail(t, err, fault.ConfigInvalid, "for a session"); !strings.Contains(f.Remedy, "pool_mode = session") {
					t.Errorf("remedy %q", f.Remedy)
				}
			}
		})
	}
}
