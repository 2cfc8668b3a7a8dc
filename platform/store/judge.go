package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// The kinds of a row of ledger_batches. The numbers are stored: never renumber.
const (
	batchJudged = 0
	batchSplit  = 1
)

// judging holds the statements of Judge.
type judging struct{ batches, rows, counts, hits bulk }

func newJudging(d dialect) judging {
	return judging{
		batches: newBulk(d, `ledger_batches (entry_id, kind, created_at)`,
			`ON CONFLICT (entry_id) DO NOTHING RETURNING entry_id`, 3, 16, 4, 1),
		// An event has one row: the first decision stands.
		rows: newBulk(d, `event_audit (id, received_at, event_timestamp, hostname, source, severity,
			syslog_severity, matched_rule_id, rule_name, handling, fate, environment, team, signature, ruleset_version,
			correlation_id, raw_message)`, `ON CONFLICT (id) DO NOTHING`, rowColumns, 50, 10, 1),
		counts: newBulk(d, `ledger (minute, process, source, fate, n)`,
			`ON CONFLICT (minute, process, source, fate) DO UPDATE SET n = ledger.n + excluded.n`, 5, 8, 1),
		hits: newBulk(d, `rule_hits_pending (hits)`, ``, 1, 1),
	}
}

// Judge stores the outcome of queue entries in one transaction: a mark for each entry, and the audit rows and ledger counts
// of those that have none yet. It returns the entries that were known: nothing of them was stored, and what
// is published of them follows Decisions. Of a known entry without decisions for all its events, ask Split: it
// is being judged in parts.
func (s *Store) Judge(ctx context.Context, process string, entries []JudgedEntry) (known []event.ID, err error) {
	// Sorted, so that two processes never wait for each other's rows in a circle.
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b JudgedEntry) int { return bytes.Compare(a.Entry[:], b.Entry[:]) })
	ctx, done := s.patient(ctx)
	defer done()
	return s.dialect.judge(s, ctx, process, sorted)
}

// judgeByInsert is Judge with statements of many rows.
func (s *Store) judgeByInsert(ctx context.Context, process string, sorted []JudgedEntry) (known []event.ID, err error) {
	j := &s.judging
	stmts, err := s.preparedBulks(ctx, &j.batches, &j.rows, &j.counts, &j.hits)
	if err != nil {
		return nil, err
	}
	forBatches, forRows, forCounts, forHits := stmts[0], stmts[1], stmts[2], stmts[3]
	all, ends := s.rowArgs(sorted) // before the transaction: the writer is shared

	err = s.write(ctx, "store judged events", func(tx *sql.Tx) error {
		fresh, err := s.markEntries(ctx, tx, sorted, forBatches)
		if err != nil {
			return err
		}
		whole := len(fresh) == len(sorted)
		rows, counts, hits, from := all, ledgerSum{}, hitSum{}, 0
		if !whole {
			rows = nil
		}
		for i := range sorted {
			e, part := &sorted[i], all[from:ends[i]]
			from = ends[i]
			if !fresh[e.Entry] {
				known = append(known, e.Entry)
				continue
			}
			delete(fresh, e.Entry) // an entry may come twice in one call
			counts.add(e.Counts)
			hits.add(e.Rows)
			if !whole {
				rows = append(rows, part...)
			}
		}
		if err := j.insertRows(ctx, tx, rows, forRows); err != nil {
			return err
		}
		if encoded := hits.encode(); encoded != nil {
			if err := j.hits.exec(ctx, tx, []any{encoded}, forHits); err != nil {
				return err
			}
		}
		return j.counts.exec(ctx, tx, counts.args(process), forCounts)
	})
	if err != nil {
		return nil, err
	}
	return known, nil
}

// markEntries records the entries as judged and gives those that had no mark.
func (s *Store) markEntries(ctx context.Context, tx *sql.Tx, entries []JudgedEntry, stmts []statement) (map[event.ID]bool, error) {
	now := event.Micros(s.now())
	args := make([]any, 0, 3*len(entries))
	for i := range entries {
		args = append(args, s.dialect.id(&entries[i].Entry), batchJudged, now)
	}
	return s.judging.batches.marked(ctx, tx, args, stmts)
}

// insertRows inserts audit rows. An event has one row and its first decision stands, but one that could not be judged
// and was put back is judged anew.
func (j *judging) insertRows(ctx context.Context, tx *sql.Tx, args []any, stmts []statement) error {
	return j.rows.run(args, stmts, func(st statement, part []any) error {
		res, err := st.exec(ctx, tx, part)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil || n == int64(len(part)/rowColumns) {
			return err
		}
		for i := 0; i < len(part); i += rowColumns {
			if _, err := tx.ExecContext(ctx, `DELETE FROM event_audit WHERE id = $1 AND fate = $2`,
				part[i], int64(event.FatePoison)); err != nil {
				return err
			}
		}
		_, err = st.exec(ctx, tx, part)
		return err
	})
}

// rowColumns is the number of parameters of an audit row.
const rowColumns = 17

// rowArgs gives the parameters of all rows, and where those of each entry end.
func (s *Store) rowArgs(entries []JudgedEntry) (args []any, ends []int) {
	n := 0
	for i := range entries {
		n += len(entries[i].Rows)
	}
	args, ends = make([]any, 0, n*rowColumns), make([]int, len(entries))
	var raw []byte
	for i := range entries {
		for k := range entries[i].Rows {
			e, d := entries[i].Rows[k].Event, entries[i].Rows[k].Decision
			raw = event.AppendEventJSON(raw[:0], e)
			var severity, ruleID any
			if e.Severity != event.Absent {
				severity = int64(e.Severity)
			}
			if d.RuleID != 0 {
				ruleID = d.RuleID
			}
			args = append(args, s.dialect.id(&e.ID), e.ReceivedAt, e.Timestamp, e.Hostname, int64(e.Source), int64(d.Severity),
				severity, ruleID, d.RuleName, int64(d.Handling), int64(d.Fate), int64(number(d.Dev)), d.Team, d.Signature,
				d.RulesetVersion, e.CorrelationID, string(raw))
		}
		ends[i] = len(args)
	}
	return args, ends
}

// Split records that an entry is judged in parts from now on, each part under an id of its own. known says that it was
// judged as a whole before: then it stays so, and Decisions has what is published. Splitting twice is harmless.
func (s *Store) Split(ctx context.Context, entry event.ID) (known bool, err error) {
	ctx, done := s.patient(ctx)
	defer done()
	err = s.write(ctx, "split a queue entry", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO ledger_batches (entry_id, kind, created_at) VALUES ($1, $2, $3)
			ON CONFLICT (entry_id) DO NOTHING`, s.dialect.id(&entry), batchSplit, event.Micros(s.now())); err != nil {
			return err
		}
		var kind int
		err := tx.QueryRowContext(ctx, `SELECT kind FROM ledger_batches WHERE entry_id = $1`, s.dialect.id(&entry)).Scan(&kind)
		known = kind == batchJudged
		return err
	})
	return known && err == nil, err
}

// PruneBatches forgets the entries that were judged or counted before a time and returns how many. The caller knows that none of them
// is in a queue any more: a forgotten entry would be judged again.
func (s *Store) PruneBatches(ctx context.Context, olderThan time.Time) (n int64, err error) {
	err = s.write(ctx, "prune the marks of judged entries", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM ledger_batches WHERE created_at < $1`, event.Micros(olderThan))
		if err != nil {
			return err
		}
		if n, err = res.RowsAffected(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM unhandled_entries WHERE created_at < $1`, event.Micros(olderThan))
		return err
	})
	return n, err
}
