package store_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/store/storetest"
)

// TestSQLite runs the suite that every database must pass.
func TestSQLite(t *testing.T) { storetest.Run(t, sqliteHarness()) }

func BenchmarkSQLite(b *testing.B) { storetest.Benchmark(b, sqliteHarness()) }

func sqliteHarness() storetest.Harness { return storetest.Harness{Open: openSQLite} }

func openSQLite(t testing.TB, now func() time.Time) storetest.Instance {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mutt.db")
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Options{Path: path, Now: now})
		if err == nil {
			t.Cleanup(func() { _ = s.Close() })
			err = s.Migrate(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	exec := func(query string, args ...any) error {
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			return err
		}
		_, err = db.Writer.ExecContext(t.Context(), query, args...)
		return errors.Join(err, db.Close())
	}
	return storetest.Instance{
		Store: s,
		Exec:  exec,
		Unguard: func() error {
			return errors.Join(exec(`DROP TRIGGER config_audit_log_no_update`), exec(`DROP TRIGGER config_audit_log_no_delete`))
		},
		Reopen: func() *store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open()
		},
	}
}
