package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/muttproject/mutt/platform/event"
)

// judgeByCopy is Judge with a binary COPY.
func (s *Store) judgeByCopy(ctx context.Context, process string, sorted []JudgedEntry) (known []event.ID, err error) {
	rows, ok := s.rows.Get().(*copyRows)
	if !ok {
		rows = &copyRows{}
	}
	defer s.rows.Put(rows)
	rows.encode(sorted) // before the transaction, so that it is short
	err = s.transact(ctx, "store judged events", func(conn *sql.Conn) error {
		return native(ctx, conn, func(tx pgx.Tx) error {
			rows.dropNone() // what an attempt before this one dropped
			j := copying{ctx: ctx, tx: tx, rows: rows, now: event.Micros(s.now())}
			if err := j.judge(process, sorted); err != nil {
				return err
			}
			known = j.known
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}

// native runs fn in a transaction of the driver's own: see write.
func native(ctx context.Context, conn *sql.Conn, fn func(pgx.Tx) error) error {
	return conn.Raw(func(driverConn any) error {
		c, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("store: a connection is a %T", driverConn)
		}
		tx, err := c.Conn().Begin(ctx)
		if err != nil {
			return err
		}
		held, release := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
		defer release()
		defer func() { _ = tx.Rollback(held) }() // after Commit it does nothing
		if err := fn(tx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return tx.Commit(held)
	})
}

// copying is one transaction of judgeByCopy.
type copying struct {
	ctx   context.Context // of the call that it is part of
	tx    pgx.Tx
	rows  *copyRows
	now   int64
	known []event.ID

	suspects suspects
}

func (j *copying) judge(process string, sorted []JudgedEntry) error {
	fresh, err := j.mark(sorted)
	if err != nil {
		return err
	}
	counts, row := ledgerSum{}, 0
	for i := range sorted {
		e := &sorted[i]
		first := row
		row += len(e.Rows)
		if !fresh[e.Entry] {
			j.known = append(j.known, e.Entry)
			j.rows.drop(first, row)
			continue
		}
		delete(fresh, e.Entry) // an entry may come twice in one call
		counts.add(e.Counts)
		for k := range e.Rows {
			if ev := e.Rows[k].Event; e.mayBeStored(ev) {
				j.suspects.add(ev, first+k)
			}
		}
	}
	if err := j.dropStored(); err != nil {
		return err
	}
	if out := j.rows.stream(); len(out) > 0 {
		if _, err := j.tx.Conn().PgConn().CopyFrom(j.ctx, bytes.NewReader(out), copyAudit); err != nil {
			return err
		}
	}
	return j.count(process, counts)
}

// mark records the entries as judged and gives those that had no mark. It waits for another process that judges one of
// them at this moment.
func (j *copying) mark(entries []JudgedEntry) (map[event.ID]bool, error) {
	ids := make([][16]byte, len(entries))
	for i := range entries {
		ids[i] = entries[i].Entry
	}
	fresh := make(map[event.ID]bool, len(entries))
	rows, err := j.tx.Query(j.ctx, `INSERT INTO ledger_batches (entry_id, kind, created_at)
		SELECT id, $2, $3 FROM unnest($1::uuid[]) AS given (id) ON CONFLICT (entry_id) DO NOTHING RETURNING entry_id`,
		ids, batchJudged, j.now)
	if err != nil {
		return nil, err
	}
	var id [16]byte
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error { fresh[id] = true; return nil })
	return fresh, err
}

// count adds to the judging book.
func (j *copying) count(process string, sum ledgerSum) error {
	if len(sum) == 0 {
		return nil
	}
	n := len(sum)
	minutes, sources, fates, counts := make([]int64, n), make([]int16, n), make([]int16, n), make([]int64, n)
	for i, k := range sum.keys() {
		minutes[i], sources[i], fates[i], counts[i] = k.Minute, int16(k.Source), int16(k.Fate), sum[k]
	}
	_, err := j.tx.Exec(j.ctx, `INSERT INTO ledger (minute, process, source, fate, n)
		SELECT minute, $1, source, fate, n FROM unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::bigint[])
			AS given (minute, source, fate, n)
		ON CONFLICT (minute, process, source, fate) DO UPDATE SET n = ledger.n + excluded.n`,
		process, minutes, sources, fates, counts)
	return err
}

// soonMillis is within what time of its receipt an event is in its entry, unless the queue is away.
const soonMillis = 2000

// mayBeStored reports whether the event may have a row from another entry. Only one that was put back from the dead
// letters or is judged as a part of its entry comes again: alone, or long after its receipt.
func (e *JudgedEntry) mayBeStored(ev *event.Event) bool {
	age := idMillis(e.Entry) - idMillis(ev.ID)
	return len(e.Rows) == 1 || age < 0 || age > soonMillis
}

// suspects are events that may have a row.
type suspects struct {
	ids   [][16]byte
	hosts []string
	rows  []int
}

func (s *suspects) add(e *event.Event, row int) {
	s.ids, s.hosts, s.rows = append(s.ids, e.ID), append(s.hosts, e.Hostname), append(s.rows, row)
}

// dropStored drops the rows of events that have one: the first decision stands. One that could not be judged and was
// put back is judged anew. The host is asked for because its index finds a row of any age with a few reads.
func (j *copying) dropStored() error {
	if len(j.suspects.ids) == 0 {
		return nil
	}
	stored, poison := map[event.ID]bool{}, [][16]byte{}
	rows, err := j.tx.Query(j.ctx, `SELECT a.id, a.fate FROM unnest($1::uuid[], $2::text[]) AS given (id, hostname)
		JOIN event_audit a ON a.hostname = given.hostname AND a.id = given.id`, j.suspects.ids, j.suspects.hosts)
	if err != nil {
		return err
	}
	var id [16]byte
	var fate int16
	if _, err := pgx.ForEachRow(rows, []any{&id, &fate}, func() error {
		if event.Fate(fate) == event.FatePoison {
			poison = append(poison, id)
		} else {
			stored[id] = true
		}
		return nil
	}); err != nil {
		return err
	}
	for i, id := range j.suspects.ids {
		if row := j.suspects.rows[i]; stored[id] {
			j.rows.drop(row, row+1)
		}
		stored[id] = true // an event may come twice in one call
		if slices.Contains(poison, id) {
			if _, err := j.tx.Exec(j.ctx, `DELETE FROM event_audit WHERE hostname = $1 AND id = $2 AND fate = $3`,
				j.suspects.hosts[i], id, int16(event.FatePoison)); err != nil {
				return err
			}
		}
	}
	return nil
}
