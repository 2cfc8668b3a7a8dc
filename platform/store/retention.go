package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// What retention removes is past its time by the store's own columns: when a row was changed, when an event was received.
// Each removal has a row in the change audit: in the same transaction, but for events that are deleted in many steps,
// where the caller notes them at the end (Tx.RecordOperation).

// RecordOperation notes in the change audit what was done to something outside the store: op is OpUpdate or OpDelete. For a
// deletion, what is the old value, else the new one.
func (t *Tx) RecordOperation(op, table, id string, what map[string]any) error {
	o, err := objectOf(what)
	if err != nil {
		return err
	}
	c := Change{TableName: table, RecordID: id, Operation: op, NewValue: o.text()}
	if op == OpDelete {
		c.OldValue, c.NewValue = c.NewValue, ""
	}
	t.pending = append(t.pending, c)
	return nil
}

// PruneChanges removes the oldest rows of the change audit, at most limit, that were changed before a time, and
// returns how many. It leaves an anchor, from which the chain is verified, and notes that in the audit itself.
func (s *Store) PruneChanges(ctx context.Context, actor Actor, reason string, before time.Time, limit int) (removed int64, err error) {
	_, err = s.Change(ctx, actor, reason, func(t *Tx) error {
		a, err := t.expired(before, limit)
		if err != nil || a.Removed == 0 {
			removed = 0
			return err
		}
		if err := t.exec(`INSERT INTO config_audit_anchors (audit_id, hash, removed, older_than, made_at) VALUES ($1, $2, $3, $4, $5)`,
			a.ID, a.Hash, a.Removed, event.Micros(a.OlderThan), event.Micros(a.MadeAt)); err != nil {
			return err
		}
		t.record(TableChangeAudit, fmt.Sprint(a.ID), a.note(), nil)
		removed = a.Removed
		return nil
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// expired gives the anchor for the rows before a time: those at the beginning, so that the chain keeps its order
// whatever the clock did.
func (t *Tx) expired(before time.Time, limit int) (a Anchor, err error) {
	a.OlderThan, a.MadeAt = before.UTC().Truncate(time.Microsecond), t.at
	type row struct {
		point ChainPoint
		at    int64
	}
	rows, err := list(t.ctx, t.tx, func(r *sql.Rows, into *row) error { return r.Scan(&into.point.ID, &into.point.Hash, &into.at) },
		`SELECT id, hash, changed_at FROM config_audit_log ORDER BY id LIMIT $1`, limit)
	for _, r := range rows {
		if r.at >= event.Micros(before) {
			break
		}
		a.ChainPoint = r.point
		a.Removed++
	}
	return a, err
}

// ExpiredChanges counts what PruneChanges would remove.
func (s *Store) ExpiredChanges(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM config_audit_log
		WHERE id < coalesce((SELECT min(id) FROM config_audit_log WHERE changed_at >= $1), 9223372036854775807)`, event.Micros(before)).Scan(&n)
	return n, s.fail(ctx, err, "count the expired rows of the change audit")
}

// PruneEvents removes the oldest audit rows, at most limit, of events that were received before a time, and returns how
// many. On PostgreSQL it looks only at the rows that are in no partition of their own: see DropPartitions.
func (s *Store) PruneEvents(ctx context.Context, before time.Time, limit int) (removed int64, err error) {
	err = s.write(ctx, "remove expired audit rows", func(tx *sql.Tx) error {
		table, err := s.looseEvents(ctx, tx)
		if err != nil {
			return err
		}
		id := idFloor(before)
		res, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE id IN (SELECT id FROM `+table+` WHERE id < $1 ORDER BY id LIMIT $2)`,
			s.dialect.id(&id), limit)
		if err != nil {
			return err
		}
		removed, err = res.RowsAffected()
		return err
	})
	return removed, err
}

// ExpiredEvents counts what PruneEvents and DropPartitions would remove; of large partitions it is PostgreSQL's estimate.
func (s *Store) ExpiredEvents(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.read(ctx, "count the expired audit rows", func(q querier) error {
		table, err := s.looseEvents(ctx, q)
		if err != nil {
			return err
		}
		id := idFloor(before)
		return q.QueryRowContext(ctx, `SELECT count(*) FROM `+table+` WHERE id < $1`, s.dialect.id(&id)).Scan(&n)
	})
	if err != nil {
		return 0, err
	}
	have, err := s.expiredPartitions(ctx, before)
	for _, p := range have {
		rows, err := s.rowsOf(ctx, p)
		if err != nil {
			return n, err
		}
		n += rows
	}
	return n, err
}

// looseEvents names the table of audit rows that are deleted one by one.
func (s *Store) looseEvents(ctx context.Context, q querier) (table string, err error) {
	if !s.partitioned() {
		return "event_audit", nil
	}
	var bytes int64
	err = q.QueryRowContext(ctx, defaultPartition).Scan(&table, &bytes)
	return table, err
}
