package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/muttproject/mutt/platform/event"
)

const changeColumns = `id, changed_at, changed_by, operation, table_name, record_id, old_value, new_value, reason,
	correlation_id, revision, prev_hash, hash`

func scanChange(rows *sql.Rows, c *Change) error {
	var at int64
	var old, now sql.NullString
	if err := rows.Scan(&c.ID, &at, &c.ChangedBy, &c.Operation, &c.TableName, &c.RecordID, &old, &now, &c.Reason,
		&c.CorrelationID, &c.Revision, &c.PrevHash, &c.Hash); err != nil {
		return err
	}
	c.ChangedAt, c.OldValue, c.NewValue = event.Time(at), old.String, now.String
	return nil
}

// Changes lists the change audit, newest first. Start is inclusive, End exclusive. RecordID finds a development host or a
// team in any case of its name.
func (s *Store) Changes(ctx context.Context, f ChangeFilter) (Page[Change], error) {
	w := filter{table: "config_audit_log"}
	w.text("changed_by = $%d", f.ChangedBy)
	w.text("operation = $%d", f.Operation)
	w.text("table_name = $%d", f.TableName)
	switch {
	case f.RecordID == "":
	case f.TableName == TableDevHosts || f.TableName == TableTeams:
		w.add("lower(record_id) = $%d", event.FoldHost(f.RecordID))
	case f.TableName == "":
		w.args = append(w.args, f.RecordID)
		w.add(fmt.Sprintf("(record_id = $%d OR table_name IN ('%s', '%s') AND lower(record_id) = $%%d)", len(w.args), TableDevHosts, TableTeams),
			event.FoldHost(f.RecordID))
	default:
		w.add("record_id = $%d", f.RecordID)
	}
	w.text("table_name <> $%d", f.Without)
	if !f.Start.IsZero() {
		w.add("changed_at >= $%d", event.Micros(f.Start))
	}
	if !f.End.IsZero() {
		w.add("changed_at < $%d", event.Micros(f.End))
	}
	var page Page[Change]
	err := s.read(ctx, "read the change audit", func(q querier) (err error) {
		if page.Total, err = w.count(ctx, q); err != nil {
			return err
		}
		page.TotalIsEstimate = page.Total > exactTotal
		page.Items, err = list(ctx, q, scanChange, w.byID(changeColumns, "DESC", pageLimit(f.Limit), max(f.Offset, 0)), w.args...)
		return err
	})
	return page, err
}

// ChangeByID gives one row of the change audit, nil when there is none.
func (s *Store) ChangeByID(ctx context.Context, id int64) (*Change, error) {
	c, err := changeByID(ctx, s.reader, id)
	return c, s.fail(ctx, err, "read the change audit")
}

// ChangeByID gives one row as this change sees it, nil when there is none. Its own rows are not among them.
func (t *Tx) ChangeByID(id int64) (*Change, error) { return changeByID(t.ctx, t.tx, id) }

// ChangesWith returns the rows that were written in one change with c, in their order, c among them, at most limit. Rows of one
// change are neighbours, so only as many are looked at on each side.
func (t *Tx) ChangesWith(c *Change, limit int) ([]Change, error) {
	return changesWith(t.ctx, t.tx, c, limit)
}

// ChangesWith is Tx.ChangesWith outside of a change.
func (s *Store) ChangesWith(ctx context.Context, c *Change, limit int) ([]Change, error) {
	found, err := changesWith(ctx, s.reader, c, limit)
	return found, s.fail(ctx, err, "read the change audit")
}

func changesWith(ctx context.Context, q querier, c *Change, limit int) ([]Change, error) {
	return list(ctx, q, scanChange, `SELECT `+changeColumns+` FROM config_audit_log
		WHERE id BETWEEN $1 AND $2 AND revision = $3 ORDER BY id LIMIT $4`, c.ID-int64(limit), c.ID+int64(limit), c.Revision, limit)
}

func changeByID(ctx context.Context, q querier, id int64) (*Change, error) {
	return first(list(ctx, q, scanChange, `SELECT `+changeColumns+` FROM config_audit_log WHERE id = $1`, id))
}

// RulesetChanges returns the changes of rules, development hosts and teams that were made after a ruleset version, newest first, at most
// limit. known is false when the change audit does not reach back to that version: retention has removed rows, or the version is of
// another store.
func (s *Store) RulesetChanges(ctx context.Context, version int64, limit int) (changes []Change, known bool, err error) {
	err = s.read(ctx, "read the change audit", func(q querier) error {
		var base int64 // the last row of the version
		err := q.QueryRowContext(ctx, `SELECT id FROM config_audit_log WHERE revision <= $1 ORDER BY id DESC LIMIT 1`, version).Scan(&base)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			// Nothing of it is left, unless there was nothing: the first row that ever was is the number 1.
			var first sql.NullInt64
			if err := q.QueryRowContext(ctx, `SELECT min(id) FROM config_audit_log`).Scan(&first); err != nil {
				return err
			}
			if known = version == 0 && (!first.Valid || first.Int64 == 1); !known {
				return nil
			}
		case err != nil:
			return err
		default:
			known = true
		}
		changes, err = list(ctx, q, scanChange, `SELECT `+changeColumns+` FROM config_audit_log
			WHERE id > $1 AND table_name IN ($2, $3, $4) ORDER BY id DESC LIMIT $5`, base, TableRules, TableDevHosts, TableTeams, limit)
		return err
	})
	return changes, known && err == nil, err
}
