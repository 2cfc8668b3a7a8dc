package store

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/muttproject/mutt/migrations"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Migrating processes look every second whether the one before them is done, for five minutes.
const (
	lockPeriodSeconds = 1
	lockTries         = 300
)

func postgresDialect() dialect {
	return dialect{
		judge:      (*Store).judgeByCopy,
		goose:      goose.DialectPostgres,
		migrations: migrations.Postgres,
		id:         func(id *event.ID) any { return id[:] },
		bulkMark:   func(n int) string { return "$" + strconv.Itoa(n) },
		bulkInsert: "INSERT INTO ",
		search:     `lower(raw_message) LIKE lower($%d) ESCAPE '!'`, // in the column's collation, "C": ASCII only
		fault: func(err error, doing string) error {
			return postgres.Fault(err, fault.StoreUnavailable, doing)
		},
		lost:     lost,
		patience: 30 * time.Second,
		snapshot: sql.LevelRepeatableRead,
		inner:    func(ctx context.Context) context.Context { return ctx },
		// The number is MUTT's own, of the database: 'mutt' in ASCII, then 1.
		lockCounters: `SELECT pg_advisory_xact_lock(1836414068, 1)`,
		foldBooks:    `SELECT pg_advisory_xact_lock_shared(1836414068, 2)`,
		closeBooks:   `SELECT pg_advisory_xact_lock(1836414068, 2)`,
		bytewise:     ` COLLATE "C"`,
		guards:       postgresGuards,
		hasTable:     `SELECT to_regclass('%s') IS NOT NULL`,
		locker: func() (lock.SessionLocker, error) {
			return lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriodSeconds, lockTries))
		},
	}
}

// lost reports whether the transaction lost against another one, or met a statement that was prepared before a
// migration: it has left nothing, and may succeed when it is run again.
func lost(err error) bool {
	switch postgres.State(err) {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	case "0A000": // "cached plan must not change result type": the driver has forgotten the statement by now
		return true
	}
	return false
}
