package sqlite

import (
	"context"
	"errors"
	"time"

	native "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/muttproject/mutt/platform/fault"
)

// retryAfter is what a client is told when the file is busy or the disk is full.
const retryAfter = 2 * time.Second

// Fault gives a native error its meaning: what cannot be read or written now is `away` (QueueUnavailable or
// StoreUnavailable), a damaged file is Corrupt. doing says what was being done ("append to the queue").
// Errors of contexts and errors that have a code already are returned as they are.
func Fault(err error, away fault.Code, doing string) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	switch Primary(err) {
	case codes.SQLITE_CORRUPT, codes.SQLITE_NOTADB:
		return fault.Wrap(fault.Corrupt, err, "%s: the database file is damaged", doing).
			WithRemedy("stop MUTT, keep a copy of the data directory, and run 'mutt doctor'")
	case codes.SQLITE_FULL:
		return fault.Wrap(away, err, "%s: the disk is full", doing).
			WithRetryAfter(retryAfter).WithRemedy("free space on the disk of the data directory")
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return fault.Wrap(away, err, "%s: the database file is locked", doing).
			WithRetryAfter(retryAfter).WithRemedy("close other programs that have the database file open")
	case codes.SQLITE_TOOBIG:
		return fault.Wrap(fault.ValueRefused, err, "%s: a value is too long for SQLite", doing)
	case codes.SQLITE_READONLY, codes.SQLITE_CANTOPEN, codes.SQLITE_PERM:
		return fault.Wrap(away, err, "%s: the database file cannot be opened for writing", doing).
			WithRetryAfter(retryAfter).WithRemedy("check the owner and mode of the data directory and its disk")
	default:
		return fault.Wrap(away, err, "%s", doing).WithRetryAfter(retryAfter)
	}
}

// IsUnique reports that a row with this key exists.
func IsUnique(err error) bool {
	var e *native.Error
	return errors.As(err, &e) &&
		(e.Code() == codes.SQLITE_CONSTRAINT_UNIQUE || e.Code() == codes.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// IsFull reports that the disk has no room for a write.
func IsFull(err error) bool { return Primary(err) == codes.SQLITE_FULL }

// Primary gives SQLite's primary result code, 0 when err is none of SQLite's.
func Primary(err error) int {
	var e *native.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
