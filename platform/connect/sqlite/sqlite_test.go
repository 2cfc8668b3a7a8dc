package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/muttproject/mutt/platform/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, o Options) *DB {
	t.Helper()
	// A name with what a URI would misread.
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "a b%20?c#.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func pragma(t *testing.T, db *DB, name string, writer bool) string {
	t.Helper()
	pool := db.Reader
	if writer {
		pool = db.Writer
	}
	var v string
	if err := pool.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&v); err != nil {
		t.Fatalf("pragma %s: %v", name, err)
	}
	return v
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		opts   Options
		pragma string
		want   string
	}{
		{Options{}, "journal_mode", "wal"},
		{Options{}, "synchronous", "2"},
		{Options{Synchronous: "NORMAL"}, "synchronous", "1"},
		{Options{}, "foreign_keys", "1"},
		{Options{}, "busy_timeout", fmt.Sprint(busyTimeoutMS)},
		{Options{}, "wal_autocheckpoint", "2000"},
		{Options{CheckpointPages: 7}, "wal_autocheckpoint", "7"},
		{Options{PageSize: 16384}, "page_size", "16384"},
		{Options{CacheKiB: 100}, "cache_size", "-100"},
		{Options{}, "journal_size_limit", fmt.Sprint(mostLogBytes)},
	} {
		db := open(t, c.opts)
		if got := pragma(t, db, c.pragma, true); got != c.want {
			t.Errorf("%+v: %s = %s, want %s", c.opts, c.pragma, got, c.want)
		}
	}
}

func TestReadersCannotWriteAndSeeCommits(t *testing.T) {
	t.Parallel()
	db := open(t, Options{})
	if _, err := db.Writer.ExecContext(t.Context(), "CREATE TABLE t(x); INSERT INTO t VALUES(1)"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.Reader.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 1 {
		t.Fatalf("reader sees %d rows, %v", n, err)
	}
	if _, err := db.Reader.ExecContext(t.Context(), "INSERT INTO t VALUES(2)"); err == nil {
		t.Fatal("a reading connection wrote")
	}
	if got := pragma(t, db, "query_only", false); got != "1" {
		t.Errorf("query_only = %s on a reading connection", got)
	}
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "q.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Writer.ExecContext(t.Context(), "CREATE TABLE t(x)"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", filepath.Base(name), mode)
		}
	}
}

func TestFaultCodes(t *testing.T) {
	t.Parallel()
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		db := open(t, Options{})
		if _, err := db.Writer.ExecContext(t.Context(), "CREATE TABLE t(x); PRAGMA max_page_count=4"); err != nil {
			t.Fatal(err)
		}
		_, err := db.Writer.ExecContext(t.Context(), "INSERT INTO t VALUES(zeroblob(100000))")
		f, ok := fault.As(Fault(err, fault.QueueUnavailable, "append"))
		if !ok || f.Code != fault.QueueUnavailable || f.RetryAfter == 0 || !strings.Contains(f.Remedy, "free space") {
			t.Fatalf("a full disk became %+v", f)
		}
	})
	t.Run("corrupt", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "q.db")
		if err := os.WriteFile(path, bytes.Repeat([]byte("garbage "), 1024), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), path, Options{})
		if !fault.Is(Fault(err, fault.StoreUnavailable, "open"), fault.Corrupt) {
			t.Fatalf("a damaged file became %v", err)
		}
	})
	t.Run("busy", func(t *testing.T) {
		t.Parallel()
		busyFault(t)
	})
	t.Run("kept", func(t *testing.T) {
		t.Parallel()
		coded := fault.New(fault.QueueFull, "full")
		for _, err := range []error{nil, context.Canceled, context.DeadlineExceeded, coded} {
			if got := Fault(err, fault.QueueUnavailable, "x"); !errors.Is(got, err) || (err == nil && got != nil) {
				t.Errorf("%v became %v", err, got)
			}
		}
		if got := Fault(errors.New("else"), fault.StoreUnavailable, "x"); !fault.Is(got, fault.StoreUnavailable) {
			t.Errorf("a foreign error became %v", got)
		}
	})
}

func busyFault(t *testing.T) {
	db := open(t, Options{})
	if _, err := db.Writer.ExecContext(t.Context(), "CREATE TABLE t(x UNIQUE); BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	other, err := Open(t.Context(), db.Path(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, err = other.Writer.ExecContext(t.Context(), "PRAGMA busy_timeout=1; BEGIN IMMEDIATE")
	if f, _ := fault.As(Fault(err, fault.QueueUnavailable, "append")); f == nil || !strings.Contains(f.Message, "locked") {
		t.Fatalf("a locked file became %v", err)
	}
}

func TestIsUnique(t *testing.T) {
	t.Parallel()
	db := open(t, Options{})
	_, err := db.Writer.ExecContext(t.Context(), "CREATE TABLE t(x UNIQUE NOT NULL); INSERT INTO t VALUES(1); INSERT INTO t VALUES(1)")
	if !IsUnique(err) {
		t.Errorf("not recognised: %v", err)
	}
	_, err = db.Writer.ExecContext(t.Context(), "INSERT INTO t VALUES(NULL)")
	if err == nil || IsUnique(err) {
		t.Errorf("a missing value is no repeat: %v", err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Lock(dir)
	if !fault.Is(err, fault.DataDirLocked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d since %d-", os.Getpid(), time.Now().UTC().Year())) {
		t.Fatalf("the second is not told the holder: %v", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatalf("unlocking twice: %v", err)
	}
	second, err := Lock(dir)
	if err != nil {
		t.Fatalf("not given back: %v", err)
	}
	if err := second.Unlock(); err != nil {
		t.Fatal(err)
	}
}
