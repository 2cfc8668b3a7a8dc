package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ATTACH PARTITION locks the default partition and reads all of it, to see that no row belongs to the new one. So:
//   - Writers are kept out by a lock of the table itself: one that had chosen DEFAULT for its rows and waited there
//     would be refused after the change.
//   - No lock is waited for longer than attachLockWait, because others queue up behind whoever waits.
//   - A default partition above readUnderLock is read before, without a lock that stops anyone: a CHECK constraint
//     that shuts the new period out is validated, and ATTACH believes it. Only for periods to come, since such a
//     constraint would refuse rows of today.
//   - Few rows of the period that are in DEFAULT (written before the first janitor ran, or by a clock that is ahead)
//     are moved in the same transaction.
const (
	attachLockWait = "200ms"
	attachTries    = 20
	attachPause    = 500 * time.Millisecond
	readUnderLock  = 32 << 20 // bytes
	movedUnderLock = 10_000   // rows
	partitionLock  = 0x6d757474_70617274
)

// partitionOutcome is what became of a period.
type partitionOutcome int

const (
	partitionThere partitionOutcome = iota // another process made it
	partitionMade
	partitionLeft // its rows stay in DEFAULT
)

// States of PostgreSQL that are answers here.
const (
	lockNotAvailable = "55P03"
	checkViolation   = "23514"
)

func stateIs(err error, state string) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == state
}

// addPartition makes the partition of a period.
func (s *Store) addPartition(ctx context.Context, day, now time.Time) (o partitionOutcome, err error) {
	p := newPartition(day)
	err = untilLocked(ctx, func() (err error) {
		o, err = s.tryPartition(ctx, p, day.After(now))
		return err
	})
	return o, err
}

// untilLocked tries a step again that did not get a lock in time.
func untilLocked(ctx context.Context, step func() error) (err error) {
	for range attachTries {
		if err = step(); !stateIs(err, lockNotAvailable) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(attachPause):
		}
	}
	return err
}

func (s *Store) tryPartition(ctx context.Context, p newborn, toCome bool) (partitionOutcome, error) {
	if toCome {
		if err := s.shutOutOfDefault(ctx, p); err != nil {
			return partitionThere, err
		}
	}
	return s.attachPartition(ctx, p)
}

// newborn is a partition to be: the texts of its statements. Its names and bounds are made here, none is a user's.
type newborn struct{ table, guard, bounds, rows string }

func newPartition(day time.Time) newborn {
	from, to := idFloor(day), idFloor(day.Add(PartitionPeriod))
	return newborn{
		table: partitionName(day), guard: "awaits_" + partitionName(day),
		bounds: fmt.Sprintf(`FROM ('%s') TO ('%s')`, from, to),
		rows:   fmt.Sprintf(`(id >= '%s' AND id < '%s')`, from, to),
	}
}

// shutOutOfDefault proves that a large default partition has no row of the new one.
func (s *Store) shutOutOfDefault(ctx context.Context, p newborn) error {
	var def string
	var bytes int64
	err := s.partitionStep(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, defaultPartition).Scan(&def, &bytes); err != nil || bytes <= readUnderLock {
			return err
		}
		return exec(ctx, tx, `ALTER TABLE `+def+` DROP CONSTRAINT IF EXISTS `+p.guard,
			`ALTER TABLE `+def+` ADD CONSTRAINT `+p.guard+` CHECK (NOT `+p.rows+`) NOT VALID`)
	})
	if err != nil || bytes <= readUnderLock {
		return err
	}
	err = s.write(ctx, "read the default partition of the event audit", func(tx *sql.Tx) error {
		return exec(ctx, tx, `ALTER TABLE `+def+` VALIDATE CONSTRAINT `+p.guard)
	})
	if stateIs(err, checkViolation) {
		return nil // attachPartition sees that it is not valid
	}
	return err
}

// attachPartition does the change of the schema in one transaction.
func (s *Store) attachPartition(ctx context.Context, p newborn) (o partitionOutcome, err error) {
	err = s.partitionStep(ctx, func(tx *sql.Tx) error {
		var there bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass($1))`, p.table).Scan(&there); err != nil {
			return err
		}
		if there {
			o = partitionThere
			return nil
		}
		def, room, err := s.roomInDefault(ctx, tx, p)
		if err != nil {
			return err
		}
		if !room {
			o = partitionLeft
			return exec(ctx, tx, `ALTER TABLE `+def+` DROP CONSTRAINT IF EXISTS `+p.guard)
		}
		o = partitionMade
		return exec(ctx, tx,
			`CREATE TABLE `+p.table+` (LIKE event_audit INCLUDING ALL)`,
			`WITH moved AS (DELETE FROM `+def+` WHERE `+p.rows+` RETURNING *) INSERT INTO `+p.table+` SELECT * FROM moved`,
			`ALTER TABLE event_audit ATTACH PARTITION `+p.table+` FOR VALUES `+p.bounds,
			`ALTER TABLE `+def+` DROP CONSTRAINT IF EXISTS `+p.guard)
	})
	return o, err
}

const defaultPartition = `SELECT partdefid::regclass::text, pg_relation_size(partdefid) FROM pg_partitioned_table
	WHERE partrelid = 'event_audit'::regclass`

// roomInDefault locks the default partition and reports whether the new one can be cut out of it in short time.
func (s *Store) roomInDefault(ctx context.Context, tx *sql.Tx, p newborn) (def string, room bool, err error) {
	var bytes, inside int64
	if err := tx.QueryRowContext(ctx, defaultPartition).Scan(&def, &bytes); err != nil {
		return "", false, err
	}
	if err := exec(ctx, tx, `LOCK TABLE ONLY event_audit IN SHARE MODE`, `LOCK TABLE `+def+` IN ACCESS EXCLUSIVE MODE`); err != nil {
		return "", false, err
	}
	if bytes > readUnderLock {
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2 AND convalidated)`,
			def, p.guard).Scan(&room)
		return def, room, err
	}
	err = tx.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM %s WHERE %s LIMIT %d) AS bounded`,
		def, p.rows, movedUnderLock+1)).Scan(&inside)
	return def, inside <= movedUnderLock, err
}

// partitionStep runs a transaction that changes partitions: one at a time of all processes, and no long wait for a lock.
func (s *Store) partitionStep(ctx context.Context, fn func(*sql.Tx) error) error {
	return s.write(ctx, "add a partition of the event audit", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		if err := exec(ctx, tx, `SET LOCAL lock_timeout = '`+attachLockWait+`'`); err != nil {
			return err
		}
		return fn(tx)
	})
}

func exec(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, text := range statements {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
