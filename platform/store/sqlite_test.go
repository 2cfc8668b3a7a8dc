package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/store/storetest"
)

// TestSQLite runs the suite that every database must pass.
func TestSQLite(t *testing.T) { storetest.Run(t, sqliteHarness()) }

// BenchmarkSQLite runs with the settings of the product: a commit is on the disk.
func BenchmarkSQLite(b *testing.B) {
	storetest.Benchmark(b, storetest.Harness{Open: openSQLite})
}

// sqliteHarness does without syncing: nothing here ends but by Close.
func sqliteHarness() storetest.Harness {
	return storetest.Harness{Open: func(t testing.TB, o store.Options) storetest.Instance {
		o.Connect.Synchronous = "OFF"
		return openSQLite(t, o)
	}}
}

func openSQLite(t testing.TB, o store.Options) storetest.Instance {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mutt.db")
	o.Path = path
	open := func() *store.Store {
		s, err := store.Open(t.Context(), o)
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
			return exec(`DROP TRIGGER config_audit_log_no_update; DROP TRIGGER config_audit_log_no_delete; DROP TRIGGER config_audit_log_no_replace;
				DROP TRIGGER config_audit_anchors_no_update; DROP TRIGGER config_audit_anchors_no_delete;
				DROP TRIGGER config_audit_anchors_check; DROP TRIGGER config_audit_anchors_retain`)
		},
		Reopen: func() *store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open()
		},
	}
}
