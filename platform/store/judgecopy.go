package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/event"
)

// judgeByCopy is Judge with a binary COPY. A COPY is refused as a whole when one event has a row already, which only one
// that was put back from the dead letters can have: then all are looked up and those are left out.
func (s *Store) judgeByCopy(ctx context.Context, process string, sorted []JudgedEntry) (known []event.ID, err error) {
	rows, ok := s.rows.Get().(*copyRows)
	if !ok {
		rows = &copyRows{}
	}
	rows.encode(sorted) // before the transaction, so that it is short
	j := copying{rows: rows, process: process, sorted: sorted, now: event.Micros(s.now())}
	err = s.transact(ctx, "store judged events", func(conn *sql.Conn) error {
		err := native(ctx, conn, func(tx pgx.Tx) error { return j.run(ctx, tx, false) })
		if postgres.IsUnique(err) {
			err = native(ctx, conn, func(tx pgx.Tx) error { return j.run(ctx, tx, true) })
		}
		return err
	})
	if err != nil {
		return nil, err // and the rows to nobody: the driver may still read them
	}
	s.rows.Put(rows)
	return j.known, nil
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
		defer func() { _ = uncut(ctx, tx.Rollback) }() // after Commit it does nothing
		if err := fn(tx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return uncut(ctx, tx.Commit)
	})
}

// uncut ends a transaction, whether ctx ends or not: see commitWait.
func uncut(ctx context.Context, end func(context.Context) error) error {
	held, release := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
	defer release()
	return end(held)
}

// copying is one call of judgeByCopy.
type copying struct {
	rows    *copyRows
	process string
	sorted  []JudgedEntry
	now     int64

	ctx   context.Context // of the call that it is part of
	tx    pgx.Tx          // of this attempt
	known []event.ID
}

// run makes an attempt. again says that events may have a row.
func (j *copying) run(ctx context.Context, tx pgx.Tx, again bool) error {
	j.ctx, j.tx, j.known = ctx, tx, nil
	j.rows.dropNone()
	fresh, err := j.mark()
	if err != nil {
		return err
	}
	counts, hits, row := ledgerSum{}, hitSum{}, 0
	for i := range j.sorted {
		e := &j.sorted[i]
		first := row
		row += len(e.Rows)
		if !fresh[e.Entry] {
			j.known = append(j.known, e.Entry)
			j.rows.drop(first, row)
			continue
		}
		delete(fresh, e.Entry) // an entry may come twice in one call
		counts.add(e.Counts)
		hits.add(e.Rows)
	}
	if again {
		if err := j.dropStored(); err != nil {
			return err
		}
	}
	if out := j.rows.stream(); len(out) > 0 {
		if err := copyIn(ctx, tx, out); err != nil {
			return err
		}
	}
	return j.count(counts, hits)
}

// copyGrace is how long a COPY whose context ended may take to say so.
const copyGrace = time.Second

// copyIn sends rows. When ctx ends it tells the server: one that waits for the rest of a COPY takes no cancellation, and
// would keep the marks of the entries from the next process until it notices that the connection is gone.
func copyIn(ctx context.Context, tx pgx.Tx, rows []byte) error {
	held, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(copyGrace, release) })()
	_, err := tx.Conn().PgConn().CopyFrom(held, endingReader{ctx, bytes.NewReader(rows)}, copyAudit)
	return err
}

// endingReader fails when ctx has ended.
type endingReader struct {
	ctx context.Context // of the one call that reads
	r   io.Reader
}

func (r endingReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// mark records the entries as judged and gives those that had no mark. It waits for another process that judges one of
// them at this moment.
func (j *copying) mark() (map[event.ID]bool, error) {
	ids := make([][16]byte, len(j.sorted))
	for i := range j.sorted {
		ids[i] = j.sorted[i].Entry
	}
	fresh := make(map[event.ID]bool, len(ids))
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

// count adds to the judging book, and to the hits of the rules.
func (j *copying) count(sum ledgerSum, hits hitSum) error {
	if len(sum)+len(hits) == 0 {
		return nil
	}
	n := len(sum)
	minutes, sources, fates, counts := make([]int64, n), make([]int16, n), make([]int16, n), make([]int64, n)
	for i, k := range sum.keys() {
		minutes[i], sources[i], fates[i], counts[i] = k.Minute, int16(k.Source), int16(k.Fate), sum[k]
	}
	_, err := j.tx.Exec(j.ctx, `WITH counted AS (INSERT INTO rule_hits_pending (hits) SELECT $6::bytea WHERE $6::bytea IS NOT NULL)
		INSERT INTO ledger (minute, process, source, fate, n)
		SELECT minute, $1, source, fate, n FROM unnest($2::bigint[], $3::smallint[], $4::smallint[], $5::bigint[])
			AS given (minute, source, fate, n)
		ON CONFLICT (minute, process, source, fate) DO UPDATE SET n = ledger.n + excluded.n`,
		j.process, minutes, sources, fates, counts, hits.encode())
	return err
}

// dropStored drops the rows of events that have one: the first decision stands. One that could not be judged and was
// put back is judged anew.
func (j *copying) dropStored() error {
	ids := make([][16]byte, 0, len(j.rows.dropped))
	for i := range j.sorted {
		for k := range j.sorted[i].Rows {
			ids = append(ids, j.sorted[i].Rows[k].Event.ID)
		}
	}
	if _, err := j.tx.Exec(j.ctx, `DELETE FROM event_audit WHERE id = ANY($1) AND fate = $2`, j.left(ids), int16(event.FatePoison)); err != nil {
		return err
	}
	rows, err := j.tx.Query(j.ctx, `SELECT id FROM event_audit WHERE id = ANY($1)`, j.left(ids))
	if err != nil {
		return err
	}
	stored := map[[16]byte]bool{}
	var id [16]byte
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error { stored[id] = true; return nil }); err != nil {
		return err
	}
	for row, id := range ids {
		if stored[id] {
			j.rows.drop(row, row+1)
		}
		stored[id] = stored[id] || !j.rows.dropped[row] // an event may come twice in one call
	}
	return nil
}

// left gives the ids of the rows that were not dropped.
func (j *copying) left(ids [][16]byte) [][16]byte {
	out := make([][16]byte, 0, len(ids))
	for row, id := range ids {
		if !j.rows.dropped[row] {
			out = append(out, id)
		}
	}
	return out
}
