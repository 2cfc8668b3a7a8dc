package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	// commitWait bounds a COMMIT, which the end of the caller's context does not cut off: nobody could tell then whether
	// it took place.
	commitWait = 30 * time.Second
	// maxTries bounds how often a transaction that lost against another one is run.
	maxTries = 8
)

// errNoAnswer is the cause of a context that patient ended.
var errNoAnswer = errors.New("the database does not answer")

// patient bounds calls that the pipeline waits for, so that a database that stands still is reported and not waited for
// in silence.
func (s *Store) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.dialect.patience == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, s.dialect.patience, errNoAnswer)
}

// errNothing ends a write that turned out to change nothing; it is rolled back and is no error.
var errNothing = errors.New("nothing to write")

// write runs fn in one transaction. A panic, an error or the end of ctx rolls everything back. fn is run again when the
// transaction lost against another one.
func (s *Store) write(ctx context.Context, doing string, fn func(*sql.Tx) error) error {
	return s.transact(ctx, doing, func(conn *sql.Conn) error {
		held, release := context.WithCancel(context.WithoutCancel(ctx))
		defer release()
		begun := context.AfterFunc(ctx, release)
		tx, err := conn.BeginTx(held, nil)
		begun()
		if err != nil {
			return err
		}
		end := func(how func() error) error {
			defer time.AfterFunc(commitWait, release).Stop()
			return how()
		}
		defer func() { _ = end(tx.Rollback) }() // after Commit it does nothing
		if err := fn(tx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return end(tx.Commit)
	})
}

// transact gives attempt a connection for one transaction, again when it lost against another transaction.
func (s *Store) transact(ctx context.Context, doing string, attempt func(*sql.Conn) error) error {
	for try := 1; ; try++ {
		err := s.withConn(ctx, attempt)
		switch {
		case errors.Is(err, errNothing):
			return nil
		case try < maxTries && ctx.Err() == nil && s.dialect.lost(err):
		default:
			return s.fail(ctx, err, doing)
		}
	}
}

func (s *Store) withConn(ctx context.Context, fn func(*sql.Conn) error) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back
	return fn(conn)
}

// read runs fn in one read transaction: all its queries see the same state. fn may be run more than once.
func (s *Store) read(ctx context.Context, doing string, fn func(querier) error) error {
	return s.readTx(ctx, doing, func(tx *sql.Tx) error { return fn(tx) })
}

// readTx is read for what needs the transaction itself.
func (s *Store) readTx(ctx context.Context, doing string, fn func(*sql.Tx) error) error {
	for try := 1; ; try++ {
		err := s.readOnce(ctx, fn)
		if try == maxTries || ctx.Err() != nil || !s.dialect.lost(err) {
			return s.fail(ctx, err, doing)
		}
	}
}

func (s *Store) readOnce(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.reader.BeginTx(ctx, &sql.TxOptions{Isolation: s.dialect.snapshot, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return fn(tx)
}
