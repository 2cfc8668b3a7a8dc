package testkit_test

import (
	"testing"

	"github.com/muttproject/mutt/platform/testkit"
)

func TestPostgresKeepsItsData(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]testkit.PostgresOptions{"plain": {}, "tls": {TLS: true, Settings: []string{"work_mem=5MB"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testkit.Postgres(t, o)
			db := p.NewDatabase(t)
			p.SQL(db, "CREATE TABLE a (n int); INSERT INTO a VALUES (1)")
			p.Kill()
			p.Start()
			p.Stop()
			p.Stop() // nothing to do
			p.Start()
			if got := p.SQL(db, "SELECT n FROM a"); got != "1" {
				t.Fatalf("after a kill and a stop there is %q", got)
			}
			if other := p.NewDatabase(t); other == db {
				t.Fatal("the databases have one name")
			}
			if got := p.SQL(db, "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = '"+p.User+"'"); got != "f|t" {
				t.Fatalf("the role of the tests is %q", got)
			}
			if got := p.SQL(db, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != map[bool]string{true: "t", false: "f"}[o.TLS] {
				t.Fatalf("ssl is %q", got)
			}
		})
	}
}
