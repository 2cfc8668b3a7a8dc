package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"

	native "modernc.org/sqlite"

	"github.com/muttproject/mutt/platform/private"
)

// Options say how a file is opened. The zero value is durable and right for most.
type Options struct {
	// Synchronous is FULL (the default: a commit survives a power cut), NORMAL (survives the end of the process only)
	// or OFF (for tests).
	Synchronous string
	Readers     int // reading connections, 2 by default
	PageSize    int // bytes, for a new file; SQLite's own default when 0
	CacheKiB    int // page cache of each connection, 8 MiB by default
	// CheckpointPages is the size in pages from which the log is copied back into the file; 2000 by default, and fewer on a
	// small disk, see logShare.
	CheckpointPages int
	logBytes        int64 // what the log file shrinks to after a burst
}

func (o Options) withDefaults() Options {
	if o.Synchronous == "" {
		o.Synchronous = "FULL"
	}
	if o.Readers < 1 {
		o.Readers = 2
	}
	if o.CacheKiB < 1 {
		o.CacheKiB = 8 << 10
	}
	if o.CheckpointPages < 1 {
		o.CheckpointPages = 2000
	}
	return o
}

// onDiskOf bounds the log by the size of the disk.
func (o Options) onDiskOf(total int64) Options {
	const largePage = 8192
	o.CheckpointPages = max(1, int(min(int64(o.CheckpointPages), total/logShare/largePage)))
	o.logBytes = min(mostLogBytes, total/logShare)
	return o
}

const (
	busyTimeoutMS = 10_000
	mmapBytes     = 64 << 20
	mostLogBytes  = 64 << 20
	// logShare is the part of a disk that one log may take before it is copied back: on a disk of 64 MB, two logs of their
	// normal size would leave nothing for the databases.
	logShare = 16
)

// DB is one open file.
type DB struct {
	// Writer has one connection; its transactions begin IMMEDIATE.
	Writer *sql.DB
	// Reader has a few connections that cannot write.
	Reader *sql.DB
	path   string
}

// Path gives the file's name.
func (db *DB) Path() string { return db.path }

// Open opens the file, creating it with mode 0600 when it is missing.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	o = o.withDefaults()
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	if err := private.Ensure(path); err != nil { // SQLite gives the log files its mode
		return nil, fmt.Errorf("create the database file: %w", err)
	}
	_, total, err := space(filepath.Dir(path))
	if err != nil || total <= 0 {
		total = unbounded // not known: the log has its normal size
	}
	o = o.onDiskOf(total)
	// Same promise, half the time: see the documentation of native.Fdatasync. Where it is missing, fsync is used.
	if _, err := native.Fdatasync(true); err != nil && !errors.Is(err, native.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("choose fdatasync: %w", err)
	}
	w, err := dial(ctx, writerDSN(path, o), 1)
	if err != nil {
		return nil, fmt.Errorf("open %s for writing: %w", path, err)
	}
	r, err := dial(ctx, readerDSN(path, o), o.Readers)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s for reading: %w", path, err), w.Close())
	}
	return &DB{Writer: w, Reader: r, path: path}, nil
}

// Close closes both pools; the last connection folds the log into the file.
func (db *DB) Close() error {
	return errors.Join(db.Reader.Close(), db.Writer.Close())
}

func dial(ctx context.Context, dsn string, conns int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	// Connections are kept: a new one would pay for its cache and its statements again.
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(0)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func writerDSN(path string, o Options) string {
	q := common(o)
	q.Set("_txlock", "immediate")
	if o.PageSize > 0 {
		q.Add("_pragma", "busy_timeout("+strconv.Itoa(busyTimeoutMS)+")")
		q.Add("_pragma", "page_size("+strconv.Itoa(o.PageSize)+")") // must precede journal_mode, which the driver sets later
	}
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", o.Synchronous)
	q.Set("_foreign_keys", "on")
	q.Add("_pragma", "wal_autocheckpoint("+strconv.Itoa(o.CheckpointPages)+")")
	q.Add("_pragma", "journal_size_limit("+strconv.FormatInt(o.logBytes, 10)+")")
	return dsn(path, q)
}

func readerDSN(path string, o Options) string {
	q := common(o)
	q.Set("mode", "ro")
	q.Set("_query_only", "on")
	return dsn(path, q)
}

// common holds what both kinds of connection share. The driver sets the busy timeout before anything else.
func common(o Options) url.Values {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.Itoa(busyTimeoutMS))
	q.Add("_pragma", "cache_size(-"+strconv.Itoa(o.CacheKiB)+")")
	q.Add("_pragma", "mmap_size("+strconv.Itoa(mmapBytes)+")")
	q.Add("_pragma", "temp_store(memory)")
	return q
}

func dsn(path string, q url.Values) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	return u.String()
}
