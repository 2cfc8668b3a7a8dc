package store_test

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/migrations"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// beforeIdentities is the last schema in which names that differ in case alone could stand side by side.
const beforeIdentities = 9

// TestMigrationMergesHosts holds that the upgrade of a store with two spellings of a host succeeds, keeps the entry that was in
// force, and that the change audit has the others.
func TestMigrationMergesHosts(t *testing.T) {
	t.Parallel()
	for name, old := range olderStores(beforeIdentities) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, o := old(t)
			for _, statement := range []string{
				`INSERT INTO development_hosts (hostname, revision) VALUES ('lab', 1), ('LAB', 2), ('Lab', 3), ('other', 4)`,
				`INSERT INTO device_teams (hostname, team_assignment, revision) VALUES ('core-1', 'NEW', 6), ('CORE-1', 'IN FORCE', 5), ('edge', 'E', 7)`,
				`UPDATE revisions SET revision = 7, ruleset_version = 7`,
			} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			o.Logger, o.Now = zap.NewNop(), time.Now
			s := openOn(t, o)
			for range 2 { // the second time it finds nothing to do
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			hosts, err := s.DevHosts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			teams, err := s.Teams(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := []store.Team{{Hostname: "CORE-1", TeamAssignment: "IN FORCE", Revision: 5}, {Hostname: "edge", TeamAssignment: "E", Revision: 7}}
			if d := cmp.Diff([]store.DevHost{{Hostname: "LAB", Revision: 2}, {Hostname: "other", Revision: 4}}, hosts) + cmp.Diff(want, teams); d != "" {
				t.Error(d)
			}
			changes, err := s.Changes(t.Context(), store.ChangeFilter{})
			if err != nil {
				t.Fatal(err)
			}
			var removed []string
			for _, c := range changes.Items {
				removed = append(removed, c.ChangedBy+" "+c.Operation+" "+c.OldValue)
			}
			if d := cmp.Diff([]string{
				`system:migrate DELETE {"hostname":"core-1","team_assignment":"NEW"}`, `system:migrate DELETE {"hostname":"lab"}`, `system:migrate DELETE {"hostname":"Lab"}`,
			}, removed); d != "" {
				t.Error(d)
			}
			if _, _, err := s.VerifyChain(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// olderStores are a store on each database, as a program of an older schema left it.
func olderStores(version int64) map[string]func(t *testing.T) (db *sql.DB, o store.Options) {
	return map[string]func(t *testing.T) (db *sql.DB, o store.Options){
		"sqlite": func(t *testing.T) (*sql.DB, store.Options) {
			path := filepath.Join(t.TempDir(), "mutt.db")
			db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			goTo(t, goose.DialectSQLite3, db.Writer, migrations.SQLite, version)
			return db.Writer, store.Options{Path: path}
		},
		"postgres": func(t *testing.T) (*sql.DB, store.Options) {
			server := testkit.Postgres(t, testkit.PostgresOptions{})
			pool := newPool(t, server, server.NewDatabase(t))
			db := stdlib.OpenDBFromPool(pool)
			t.Cleanup(func() { _ = db.Close() })
			goTo(t, goose.DialectPostgres, db, migrations.Postgres, version)
			return db, store.Options{Postgres: pool}
		},
	}
}

func goTo(t *testing.T, dialect goose.Dialect, db *sql.DB, files func() (fs.FS, error), version int64) {
	t.Helper()
	dir, err := files()
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(dialect, db, dir, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}
