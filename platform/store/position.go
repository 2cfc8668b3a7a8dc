package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/muttproject/mutt/platform/fault"
)

// Position names a state of the store: everything that was committed up to it. Epoch and Revision order the states,
// and only grow. Head proves the lineage: a store that continues a state has that row in its chain.
type Position struct {
	Epoch    int64 // grows when the store was restored from an older state
	Revision int64 // grows with every change
	Ruleset  int64 // grows when rules, hosts or teams change
	Head     ChainPoint
}

// Before reports whether p is an earlier state than q.
func (p Position) Before(q Position) bool {
	return p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Revision < q.Revision
}

// restoredSlack is how far the numbers of a new epoch stay clear of the highest that its founder knows: another process may
// have seen a few more. So a number names one state only, for ETags and for processes that do not know epochs.
const restoredSlack = 1000

// Position returns the present state. Caches compare it as a whole.
func (s *Store) Position(ctx context.Context) (Position, error) {
	ctx, done := s.patient(ctx)
	defer done()
	p, err := position(ctx, s.reader)
	return p, s.fail(ctx, err, "read the revision")
}

func position(ctx context.Context, q querier) (p Position, err error) {
	err = q.QueryRowContext(ctx, `SELECT epoch, revision, ruleset_version, audit_id, audit_hash FROM revisions WHERE id = 1`).
		Scan(&p.Epoch, &p.Revision, &p.Ruleset, &p.Head.ID, &p.Head.Hash)
	return p, positionMissing(err)
}

// positionMissing explains an error of reading the row of revisions: without it nothing that was restored can be trusted, and
// waiting does not bring it back.
func positionMissing(err error) error {
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return fault.Wrap(fault.Corrupt, err, "the table revisions must have one row, and it has none: the database was restored in part").
		WithRemedy("restore the whole database from its backup (docs/runbooks/postgresql.md)")
}

// Continues reports whether the store is seen or a later state of it. If not, the store was restored from an older
// state, or is another one. seen must have been learned before the call.
func (s *Store) Continues(ctx context.Context, seen Position) (ok bool, err error) {
	ctx, done := s.patient(ctx)
	defer done()
	err = s.read(ctx, "compare the store with an earlier state of it", func(q querier) (err error) {
		ok, err = continues(ctx, q, seen)
		return err
	})
	return ok, err
}

func continues(ctx context.Context, q querier, seen Position) (bool, error) {
	now, err := position(ctx, q)
	switch {
	case err != nil:
		return false, err
	case now.Epoch > seen.Epoch:
		return true, nil // the difference was settled by the new epoch
	case now.Before(seen):
		return false, nil
	case seen.Head.ID == 0 || now.Head == seen.Head:
		return true, nil
	}
	var hash sql.NullString
	var removed sql.NullInt64 // retention removed the rows up to it: nothing can be said about them
	err = q.QueryRowContext(ctx, `SELECT (SELECT hash FROM config_audit_log WHERE id = $1), (SELECT max(audit_id) FROM config_audit_anchors)`,
		seen.Head.ID).Scan(&hash, &removed)
	return hash.Valid && hash.String == seen.Head.Hash || !hash.Valid && removed.Int64 >= seen.Head.ID, err
}

// NewEpoch begins an epoch when the store does not continue seen, a state that processes worked by. It is an audited
// change, whose numbers are above those of seen, and it ends all sessions: one that was ended since the backup must not
// come back. began is false when there was nothing to do, because another process was first.
func (s *Store) NewEpoch(ctx context.Context, seen Position) (began bool, err error) {
	_, err = s.Change(ctx, Actor{Name: "system"}, "the store does not continue the state that processes worked by: it was restored", func(t *Tx) error {
		began = false
		// Change has counted the revision of this change already.
		if ok, err := continues(t.ctx, t.tx, seen); err != nil || ok {
			return err
		}
		old, err := position(t.ctx, t.tx)
		if err != nil {
			return err
		}
		old.Revision--
		t.epoch = max(old.Epoch, seen.Epoch) + 1
		t.revision = max(old.Revision, seen.Revision) + restoredSlack
		t.rulesetVersion = max(old.Ruleset, seen.Ruleset) + restoredSlack
		if err := t.exec(`DELETE FROM ui_sessions`); err != nil {
			return err
		}
		t.record(TableRevisions, "epoch", epochObject(old.Epoch, old.Revision), epochObject(t.epoch, t.revision))
		began = true
		return nil
	})
	return began && err == nil, err
}

func epochObject(epoch, revision int64) object {
	number := func(n int64) json.RawMessage { return strconv.AppendInt(nil, n, 10) }
	return object{"epoch": number(epoch), "revision": number(revision)}
}

// greatestNumber bounds the numbers of a position that came from outside of the store.
const greatestNumber = 1 << 50

// Check refuses a position that no store has had.
func (p Position) Check() error {
	for _, n := range [...]int64{p.Epoch, p.Revision, p.Ruleset, p.Head.ID} {
		if n < 0 || n > greatestNumber {
			return fault.New(fault.Corrupt, "%d is not a revision, an epoch or the number of an audit row", n)
		}
	}
	return nil
}
