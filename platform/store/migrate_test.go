package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/migrations"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

func openPlain(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Path: path, Logger: zap.NewNop(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newest gives the number of the last migration.
func newest(t *testing.T) int64 {
	t.Helper()
	dir, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(names))
}

// migrateTo brings a file to an older schema, as an older program left it.
func migrateTo(t *testing.T, path string, version int64, statements ...string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.Writer, dir, goose.WithDisableGlobalRegistry(true))
	if err == nil {
		_, err = p.UpTo(t.Context(), version)
	}
	for _, text := range statements {
		_, errExec := db.Writer.ExecContext(t.Context(), text)
		err = errors.Join(err, errExec)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateFromEmpty(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mutt.db")
	s := openPlain(t, path)
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a store without a schema answers Ping")
	}
	for range 2 {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	have, want, err := s.SchemaVersion(t.Context())
	if err != nil || have != want || have != newest(t) {
		t.Errorf("schema %d, wants %d, migrations go to %d: %v", have, want, newest(t), err)
	}
	if left, err := filepath.Glob(path + ".v*"); err != nil || len(left) != 0 {
		t.Errorf("a copy of nothing was taken: %v %v", left, err)
	}
}

// TestMigrateFromEveryVersion also holds that the copy taken before is whole, and the data still there.
func TestMigrateFromEveryVersion(t *testing.T) {
	t.Parallel()
	for from := int64(1); from < newest(t); from++ {
		path := filepath.Join(t.TempDir(), "mutt.db")
		migrateTo(t, path, from, `INSERT INTO development_hosts (hostname, revision) VALUES ('lab', 1)`)
		if err := os.WriteFile(backupName(path, from)+".part", []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openPlain(t, path)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("from %d: %v", from, err)
		}
		old := openPlain(t, backupName(path, from))
		if have, _, err := old.SchemaVersion(t.Context()); err != nil || have != from {
			t.Errorf("the copy has schema %d, want %d: %v", have, from, err)
		}
		for name, st := range map[string]*store.Store{"file": s, "copy": old} {
			if hosts, err := st.DevHosts(t.Context()); err != nil || len(hosts) != 1 {
				t.Errorf("from %d, %s: %v %v", from, name, hosts, err)
			}
		}
		if info, err := os.Stat(backupName(path, from)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy's mode: %v %v", info.Mode(), err)
		}
	}
}

func backupName(path string, version int64) string {
	return fmt.Sprintf("%s.v%d.backup", path, version)
}

func TestMigrateRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mutt.db")
	migrateTo(t, path, newest(t), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	s := openPlain(t, path)
	if err := s.Migrate(t.Context()); !fault.Is(err, fault.NewerVersion) {
		t.Errorf("got %v, want NewerVersion", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mutt.db")
	if err := os.WriteFile(path, []byte("this is no database, but long enough to be looked at as one ...... "), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{Path: path, Logger: zap.NewNop(), Now: time.Now})
	if err == nil {
		err = errors.Join(s.Migrate(t.Context()), s.Close())
	}
	if !fault.Is(err, fault.Corrupt) {
		t.Errorf("got %v, want Corrupt", err)
	}
}

// TestReceivedIsTheQueuesName holds a name that the store shares with the queue.
func TestReceivedIsTheQueuesName(t *testing.T) {
	t.Parallel()
	s := openPlain(t, filepath.Join(t.TempDir(), "mutt.db"))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.FoldCounts(t.Context(), []store.MinuteCount{{Minute: 5, Process: "p", Kind: queue.CountReceived, N: 3}})
	if rate, errRate := s.RatePerMinute(t.Context(), 5, 6); err != nil || errRate != nil || rate[0] != 3 {
		t.Errorf("rate %v, %v, %v", rate, err, errRate)
	}
}
