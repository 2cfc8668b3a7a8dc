package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
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

	hosts, teams   entryList
	rules          ruleSet
	highestRule    string // see dialect
	rulesetVersion int64  // before this change

	// ahead says that fn runs on a snapshot: see ChangeMany. unfit says that it did something that only the write
	// transaction can do.
	ahead, unfit bool
}

// changing holds the statements of a change.
type changing struct{ audit, putHosts, dropHosts, putTeams, dropTeams, putRules, dropRules bulk }

func newChanging(d dialect) changing {
	return changing{
		audit: newAudit(d),
		putHosts: newBulk(d, `development_hosts (hostname, revision)`,
			`ON CONFLICT (hostname) DO UPDATE SET revision = excluded.revision`, 2, 50, 10, 1),
		dropHosts: newLookup(d, `DELETE FROM development_hosts WHERE hostname`, "", 50, 10, 1),
		putTeams: newBulk(d, `device_teams (hostname, team_assignment, revision)`,
			`ON CONFLICT (hostname) DO UPDATE SET team_assignment = excluded.team_assignment, revision = excluded.revision`, 3, 50, 10, 1),
		dropTeams: newLookup(d, `DELETE FROM device_teams WHERE hostname`, "", 50, 10, 1),
		putRules:  newBulk(d, `alert_rules (`+ruleColumns+`)`, "", 4, 50, 10, 1),
		dropRules: newLookup(d, `DELETE FROM alert_rules WHERE id`, "", 50, 10, 1),
	}
}

// Change runs fn and commits what it did together with one audit row for each change and a new revision, which it
// returns. When fn fails, panics or ctx ends, nothing of it remains. When fn changes nothing, nothing is written
// and the present revision is returned. fn must not call Change; it may be run more than once.
func (s *Store) Change(ctx context.Context, actor Actor, reason string, fn func(*Tx) error) (int64, error) {
	return s.commit(ctx, actor, reason, fn, nil)
}

// ChangeMany is Change for many hosts, teams or rules. SQLite has one write transaction at a time, which judging waits for. So fn
// runs on a snapshot first, where all that it changes is compared, encoded and chained; the write transaction
// only stores it. fn runs again, within the transaction, when another change was committed in between, or when it
// does what only the transaction can: anything but hosts, teams and rules, and new rules on PostgreSQL, which gives their ids. fn must not read from the store but by its Tx.
func (s *Store) ChangeMany(ctx context.Context, actor Actor, reason string, fn func(*Tx) error) (int64, error) {
	select {
	case s.preparing <- struct{}{}:
	case <-ctx.Done():
		return 0, s.fail(ctx, ctx.Err(), changeDoing)
	}
	defer func() { <-s.preparing }()
	ahead, err := s.prepareChange(ctx, actor, reason, fn)
	if err != nil {
		return 0, err
	}
	if ahead != nil && len(ahead.pending) == 0 {
		return ahead.from.Revision, nil
	}
	return s.commit(ctx, actor, reason, fn, ahead)
}

const changeDoing = "change the configuration"

// preparedChange is a change that can be stored as it is, as long as the store is where it was.
type preparedChange struct {
	*Tx
	from Position
	rows preparedRows
}

// preparedRows are the parameters of the statements of a change.
type preparedRows struct {
	head                                                                 ChainPoint
	audit, putHosts, dropHosts, putTeams, dropTeams, putRules, dropRules []any
}

// prepareChange runs fn on a snapshot. It returns nil when fn has to run in the write transaction.
func (s *Store) prepareChange(ctx context.Context, actor Actor, reason string, fn func(*Tx) error) (ahead *preparedChange, err error) {
	ctx, done := s.patient(ctx)
	defer done()
	var unfit bool
	err = s.readTx(ctx, changeDoing, func(tx *sql.Tx) error {
		from, err := position(ctx, tx)
		if err != nil {
			return err
		}
		t := s.newTx(ctx, tx, actor, from)
		t.ahead = true
		err = fn(t)
		if unfit = t.unfit; err != nil || unfit {
			return err
		}
		ahead = &preparedChange{Tx: t, from: from, rows: t.prepare(from.Head, reason)}
		return nil
	})
	if unfit {
		return nil, nil
	}
	return ahead, err
}

// newTx returns a change of the state from.
func (s *Store) newTx(ctx context.Context, tx *sql.Tx, actor Actor, from Position) *Tx {
	return &Tx{ctx: ctx, tx: tx, actor: actor, highestRule: s.dialect.highestRule, at: s.now().UTC().Truncate(time.Microsecond),
		epoch: from.Epoch, revision: from.Revision + 1, rulesetVersion: from.Ruleset, lastRow: from.Head.ID}
}

// prepare returns what the change writes. Entries are in the order of their names: the database stores them several times
// faster than in any other.
func (t *Tx) prepare(head ChainPoint, reason string) (r preparedRows) {
	r.head, r.audit = t.chain(head, reason)
	for _, e := range t.hosts.put() {
		r.putHosts = append(r.putHosts, e.Hostname, e.Revision)
	}
	for _, e := range t.teams.put() {
		r.putTeams = append(r.putTeams, e.Hostname, e.TeamAssignment, e.Revision)
	}
	for _, id := range slices.Sorted(maps.Keys(t.rules.touched)) {
		row := t.rules.touched[id]
		if row != nil && row.stored {
			continue
		}
		// A rule that changes is stored anew: two may have exchanged their names.
		if r.dropRules = append(r.dropRules, id); row != nil {
			r.putRules = append(r.putRules, id, row.name, row.definition, t.revision)
		}
	}
	r.dropHosts, r.dropTeams = t.hosts.dropped(), t.teams.dropped()
	return r
}

// commit is Change. It stores ahead instead of running fn when the store is where ahead was prepared.
func (s *Store) commit(ctx context.Context, actor Actor, reason string, fn func(*Tx) error, ahead *preparedChange) (int64, error) {
	ctx, done := s.patient(ctx)
	defer done()
	b := &s.changing
	stmts, err := s.preparedBulks(ctx, &b.audit, &b.putHosts, &b.dropHosts, &b.putTeams, &b.dropTeams, &b.putRules, &b.dropRules)
	if err != nil {
		return 0, err
	}
	var revision int64
	err = s.write(ctx, changeDoing, func(tx *sql.Tx) error {
		// Taking the row first serialises changes on every database; it is rolled back when nothing changes.
		var from Position
		if err := tx.QueryRowContext(ctx, `UPDATE revisions SET revision = revision + 1 WHERE id = 1
			RETURNING epoch, revision - 1, ruleset_version, audit_id, audit_hash`).
			Scan(&from.Epoch, &from.Revision, &from.Ruleset, &from.Head.ID, &from.Head.Hash); err != nil {
			return positionMissing(err)
		}
		var t *Tx
		var rows preparedRows
		if ahead != nil && ahead.from == from {
			t, rows = ahead.Tx, ahead.rows
		} else {
			t = s.newTx(ctx, tx, actor, from)
			if err := fn(t); err != nil {
				return err
			}
			if len(t.pending) == 0 {
				revision = from.Revision
				return errNothing
			}
			rows = t.prepare(from.Head, reason)
		}
		// What is removed comes first: it may make room for another spelling of the same host.
		for _, part := range []struct {
			bulk  *bulk
			args  []any
			stmts []statement
		}{
			{&b.dropHosts, rows.dropHosts, stmts[2]}, {&b.putHosts, rows.putHosts, stmts[1]},
			{&b.dropTeams, rows.dropTeams, stmts[4]}, {&b.putTeams, rows.putTeams, stmts[3]},
			{&b.dropRules, rows.dropRules, stmts[6]}, {&b.putRules, rows.putRules, stmts[5]},
			{&b.audit, rows.audit, stmts[0]},
		} {
			if err := part.bulk.exec(ctx, tx, part.args, part.stmts); err != nil {
				return err
			}
		}
		if t.ruleset {
			t.rulesetVersion++
		}
		revision = t.revision
		_, err = tx.ExecContext(ctx, `UPDATE revisions SET epoch = $1, revision = $2, ruleset_version = $3, audit_id = $4, audit_hash = $5 WHERE id = 1`,
			t.epoch, t.revision, t.rulesetVersion, rows.head.ID, rows.head.Hash)
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
	if err := t.within(); err != nil {
		return err
	}
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

// errAhead ends a run of fn on a snapshot; it never leaves ChangeMany.
var errAhead = errors.New("only the write transaction can do this")

// within refuses what only the write transaction can do.
func (t *Tx) within() error {
	if t.ahead {
		t.unfit = true
		return errAhead
	}
	return nil
}

// Revisions returns the numbers of the present state; see Position.
func (s *Store) Revisions(ctx context.Context) (revision, ruleset int64, err error) {
	p, err := s.Position(ctx)
	return p.Revision, p.Ruleset, err
}
