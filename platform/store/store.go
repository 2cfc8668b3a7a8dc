// Package store is the relational store: configuration with its audit, judged events, the books, unhandled counters.
//
// Principles:
//  1. One concrete type on database/sql and one SQL text for every database; what differs is in dialect.
//  2. Change is the only way to write configuration: what it changes, the audit rows and the revision commit together.
//  3. The stored event_audit row is the decision. A queue entry that was judged is recognised and adds nothing.
//  4. Times are Unix microseconds in UTC, JSON is text, ids are UUIDs: reading gives what was written.
//  5. Reads take no lock and never wait for a writer.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/fault"
)

// Options configure a Store: Path or Postgres says where it is.
type Options struct {
	Path     string         // of the database file (mutt.db)
	Connect  sqlite.Options // how the file is opened
	Postgres *pgxpool.Pool  // of the database on a server; it stays the caller's to close
	Logger   *zap.Logger
	Now      func() time.Time
	// ScanWindow is how many rows one AuditLogs looks through for conditions that no index serves; 50,000 by default.
	ScanWindow int
}

// What judging wants, measured with 2,000 rows a transaction: the defaults of the connector cost 10 % more.
const (
	cacheKiB        = 16 << 10
	checkpointPages = 8000
	scanWindow      = 50_000
)

func (o Options) withDefaults() Options {
	if o.Connect.CacheKiB == 0 {
		o.Connect.CacheKiB = cacheKiB
	}
	if o.Connect.CheckpointPages == 0 {
		o.Connect.CheckpointPages = checkpointPages
	}
	if o.ScanWindow <= 0 {
		o.ScanWindow = scanWindow
	}
	return o
}

// Store is safe for concurrent use.
type Store struct {
	dialect  dialect
	judging  judging
	counting counting
	changing changing
	folding  bulk
	hits     bulk
	rows     sync.Pool // of *copyRows
	// preparing has room for the one change that is prepared ahead: it holds a reading connection, and memory.
	preparing chan struct{}
	writer    *sql.DB // transactions that write
	reader    *sql.DB
	close     func() error
	spare     func(context.Context) (int64, error) // nil for a database on a server
	path      string
	log       *zap.Logger
	now       func() time.Time
	window    int

	closed atomic.Bool
	mu     sync.Mutex
	stmts  map[string]*sql.Stmt // prepared on writer, by text
}

// Open opens the store without touching its schema: call Migrate before anything else on a new file. It does not
// connect to PostgreSQL.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := deps.Check(o, "Postgres"); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	o = o.withDefaults()
	s := &Store{path: o.Path, log: o.Logger, now: o.Now, window: o.ScanWindow, stmts: map[string]*sql.Stmt{}, preparing: make(chan struct{}, 1)}
	switch {
	case (o.Path == "") == (o.Postgres == nil):
		return nil, errors.New("open the store: one of Path and Postgres says where it is")
	case o.Postgres != nil:
		db := stdlib.OpenDBFromPool(o.Postgres)
		s.dialect, s.writer, s.reader, s.close = postgresDialect(), db, db, db.Close
	default:
		db, err := sqlite.Open(ctx, o.Path, o.Connect)
		if err != nil {
			return nil, sqlite.Fault(err, fault.StoreUnavailable, "open the store")
		}
		s.dialect, s.writer, s.reader, s.close, s.path, s.spare = sqliteDialect(), db.Writer, db.Reader, db.Close, db.Path(), db.Spare
	}
	s.judging, s.counting, s.changing, s.folding = newJudging(s.dialect), newCounting(s.dialect), newChanging(s.dialect), newFolding(s.dialect)
	s.hits = newHits(s.dialect)
	return s, nil
}

// Close ends the store; calls that run are finished first.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	s.stmts = map[string]*sql.Stmt{}
	return errors.Join(append(errs, s.close())...)
}

// Ping reports whether the store can be read and has a schema.
func (s *Store) Ping(ctx context.Context) error {
	_, _, err := s.Revisions(ctx)
	return err
}

// Spare returns the bytes within the database file that its next writes use before the file grows; 0 for a database on a server.
func (s *Store) Spare(ctx context.Context) (int64, error) {
	if s.spare == nil {
		return 0, nil
	}
	return s.spare(ctx)
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// fail gives a database error its meaning. When ctx ended, its error is the cause whatever the driver made of it.
func (s *Store) fail(ctx context.Context, err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, errNoAnswer) {
		return fault.Wrap(fault.StoreUnavailable, err, "%s: %s", doing, cause.Error())
	} else if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	}
	if s.closed.Load() {
		return fault.Wrap(fault.Closed, err, "%s: the store is closed", doing)
	}
	return s.dialect.fault(err, doing)
}

// list reads all rows of a query; the result is never nil.
func list[T any](ctx context.Context, q querier, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	return listWhile(ctx, q, scan, func(*T) bool { return true }, query, args...)
}

// listWhile is list that ends after the first row for which more returns false.
func listWhile[T any](ctx context.Context, q querier, scan func(*sql.Rows, *T) error, more func(*T) bool, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err tells what went wrong
	out := []T{}
	for rows.Next() {
		var item T
		if err := scan(rows, &item); err != nil {
			return nil, err
		}
		if out = append(out, item); !more(&out[len(out)-1]) {
			return out, nil
		}
	}
	return out, rows.Err()
}
