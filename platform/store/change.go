package store

import (
	"context"
	"database/sql"
	"time"
)

// The operations of a Change.
const (
	OpCreate = "CREATE"
	OpUpdate = "UPDATE"
	OpDelete = "DELETE"
)

// The table names of a Change.
const (
	TableRules     = "alert_rules"
	TableDevHosts  = "development_hosts"
	TableTeams     = "device_teams"
	TableConfig    = "dynamic_config"
	TableKeys      = "api_keys"
	TableRotations = "secret_rotations"
	TableRevisions = "revisions" // a new epoch

	// What retention removes from; the record is what it went up to.
	TableChangeAudit = "config_audit_log"
	TableEventAudit  = "event_audit"
	TableDeadLetters = "dead_letters"
)

// Tx is one change in the making. It is valid only inside the function that Change calls, in one goroutine.
type Tx struct {
	ctx      context.Context // of the Change that it is part of: a Tx never outlives it
	tx       *sql.Tx
	actor    Actor
	at       time.Time
	revision int64 // what this change will have
	epoch    int64
	lastRow  int64 // of the change audit before this change
	pending  []Change
	ruleset  bool // rules, hosts or teams changed
	// config are the rows of dynamic keys that this change has read or written; nil for a key that is not set.
	config map[string]*ConfigValue

	rulesetVersion int64 // before this change
}

// Change runs fn and commits what it did together with one audit row for each change and a new revision, which it
// returns. When fn fails, panics or ctx ends, nothing of it remains. When fn changes nothing, nothing is written
// and the present revision is returned. fn must not call Change; it may be run more than once.
func (s *Store) Change(ctx context.Context, actor Actor, reason string, fn func(*Tx) error) (int64, error) {
	ctx, done := s.patient(ctx)
	defer done()
	var revision int64
	err := s.write(ctx, "change the configuration", func(tx *sql.Tx) error {
		t := &Tx{ctx: ctx, tx: tx, actor: actor, at: s.now().UTC().Truncate(time.Microsecond)}
		// Taking the row first serialises changes on every database; it is rolled back when nothing changes.
		var head ChainPoint
		if err := tx.QueryRowContext(ctx, `UPDATE revisions SET revision = revision + 1 WHERE id = 1
			RETURNING epoch, revision, ruleset_version, audit_id, audit_hash`).
			Scan(&t.epoch, &t.revision, &t.rulesetVersion, &head.ID, &head.Hash); err != nil {
			return positionMissing(err)
		}
		t.lastRow = head.ID
		if err := fn(t); err != nil {
			return err
		}
		if len(t.pending) == 0 {
			revision = t.revision - 1
			return errNothing
		}
		if t.ruleset {
			t.rulesetVersion++
		}
		head, err := t.writeAudit(head, reason)
		if err != nil {
			return err
		}
		revision = t.revision
		_, err = tx.ExecContext(ctx, `UPDATE revisions SET epoch = $1, revision = $2, ruleset_version = $3, audit_id = $4, audit_hash = $5 WHERE id = 1`,
			t.epoch, t.revision, t.rulesetVersion, head.ID, head.Hash)
		return err
	})
	if err != nil {
		return 0, err
	}
	return revision, nil
}

// Revision is the revision that this change will have.
func (t *Tx) Revision() int64 { return t.revision }

// AuditID is the number that the audit row of what was changed last will have.
func (t *Tx) AuditID() int64 { return t.lastRow + int64(len(t.pending)) }

// record notes a change for the audit. old and new may be nil, for a creation and a deletion.
func (t *Tx) record(table, id string, old, now object, identity ...string) {
	c := Change{TableName: table, RecordID: id}
	c.Operation, c.OldValue, c.NewValue = difference(old, now, identity)
	t.pending = append(t.pending, c)
	t.ruleset = t.ruleset || table == TableRules || table == TableDevHosts || table == TableTeams
}

func (t *Tx) exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

// Revisions returns the numbers of the present state; see Position.
func (s *Store) Revisions(ctx context.Context) (revision, ruleset int64, err error) {
	p, err := s.Position(ctx)
	return p.Revision, p.Ruleset, err
}
