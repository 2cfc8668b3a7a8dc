package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// Anchor is where the change audit begins since retention removed the rows up to ChainPoint.
type Anchor struct {
	ChainPoint
	Removed   int64 // rows, by this removal
	OlderThan time.Time
	MadeAt    time.Time
}

// ChainHead is the last row of the change audit, as the database says.
type ChainHead struct {
	ChainPoint
	ChangedAt time.Time // zero for an empty audit
	Anchor    *Anchor   // the last one, nil when nothing was removed yet
}

// ChainPart is what VerifyPart found.
type ChainPart struct {
	Rows     int64      // that hold
	From, To ChainPoint // the chain holds after From and up to To
	Head     ChainPoint // as the database says
	Anchor   *Anchor    // the last one, nil when nothing was removed yet
	Complete bool       // To is the head: nothing is left to verify
	Broken   int64      // the row at which it is broken, 0 for none
}

// VerifyParams are the parameters of VerifyPart.
type VerifyParams struct {
	// After is up to where the chain was verified before. The zero point begins at the last anchor.
	After ChainPoint
	Limit int64 // rows, 0 for all
	// Expect is a point that was noted outside of the database, zero for none: the chain must still go through it. That
	// shows what the database cannot show: a tail that was cut off together with the head, and a chain that was written anew.
	Expect ChainPoint
}

// ChainHead gives the end of the change audit and the last anchor, without verifying them.
func (s *Store) ChainHead(ctx context.Context) (h ChainHead, err error) {
	err = s.read(ctx, "read the head of the change audit", func(q querier) (err error) {
		h = ChainHead{}
		var at sql.NullInt64
		if err := q.QueryRowContext(ctx, `SELECT audit_id, audit_hash, (SELECT changed_at FROM config_audit_log WHERE id = audit_id)
			FROM revisions WHERE id = 1`).Scan(&h.ID, &h.Hash, &at); err != nil {
			return err
		}
		h.ChangedAt = timeOrZero(at)
		h.Anchor, err = lastAnchor(ctx, q)
		return err
	})
	return h, err
}

// VerifyChain recomputes the change audit from the last anchor, or its first row: how many rows hold, and the hash of the
// last one. A row that was edited, removed other than by retention or put in, and a tail that was cut off, is Corrupt and
// named.
func (s *Store) VerifyChain(ctx context.Context) (rows int64, head string, err error) {
	part, err := s.VerifyPart(ctx, VerifyParams{})
	return part.Rows, part.To.Hash, err
}

// VerifyPart is VerifyChain in pieces: with To as the next After until Complete. What is wrong is Corrupt, and Broken
// is the row. It reads one row at a time.
func (s *Store) VerifyPart(ctx context.Context, p VerifyParams) (part ChainPart, err error) {
	if p.Limit <= 0 {
		p.Limit = math.MaxInt64
	}
	err = s.read(ctx, "verify the change audit", func(q querier) (err error) {
		part = ChainPart{}
		if err := q.QueryRowContext(ctx, `SELECT audit_id, audit_hash FROM revisions WHERE id = 1`).
			Scan(&part.Head.ID, &part.Head.Hash); err != nil {
			return err
		}
		if part.Anchor, err = lastAnchor(ctx, q); err != nil {
			return err
		}
		if part.From = p.After; part.Anchor != nil && p.After.ID < part.Anchor.ID {
			part.From = part.Anchor.ChainPoint
		}
		part.To = part.From
		if err := part.checkAnchor(ctx, q); err != nil {
			return err
		}
		if err := part.walk(ctx, q, p); err != nil {
			return err
		}
		return part.checkEnd(p)
	})
	return part, err
}

func lastAnchor(ctx context.Context, q querier) (*Anchor, error) {
	var a Anchor
	var older, made int64
	err := q.QueryRowContext(ctx, `SELECT audit_id, hash, removed, older_than, made_at FROM config_audit_anchors ORDER BY audit_id DESC LIMIT 1`).
		Scan(&a.ID, &a.Hash, &a.Removed, &older, &made)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	a.OlderThan, a.MadeAt = event.Time(older), event.Time(made)
	return &a, err
}

// checkAnchor holds the anchor against the audit: nothing before it is left, and the chain itself has the row in which
// retention noted it. Who writes an anchor without that row wanted to remove rows unseen.
func (part *ChainPart) checkAnchor(ctx context.Context, q querier) error {
	if part.Anchor == nil {
		return nil
	}
	var left sql.NullInt64
	if err := q.QueryRowContext(ctx, `SELECT min(id) FROM config_audit_log WHERE id <= $1`, part.Anchor.ID).Scan(&left); err != nil {
		return err
	}
	if left.Valid {
		return part.broken(left.Int64, "it is there, but the anchor says that the rows up to %d were removed", part.Anchor.ID)
	}
	noted, err := first(list(ctx, q, scanChange, `SELECT `+changeColumns+` FROM config_audit_log
		WHERE table_name = $1 AND record_id = $2 AND id > $3 ORDER BY id LIMIT 1`, TableChangeAudit, strconv.FormatInt(part.Anchor.ID, 10), part.Anchor.ID))
	if err != nil {
		return err
	}
	if noted == nil || !part.Anchor.notedIn(noted) {
		return part.broken(part.Anchor.ID, "the rows up to it were removed, and retention has not noted that")
	}
	return nil
}

// note is how the change audit shows the removal up to an anchor.
func (a *Anchor) note() object {
	return object{
		"last_id": json.RawMessage(strconv.FormatInt(a.ID, 10)), "last_hash": event.AppendJSONString(nil, a.Hash),
		"rows": json.RawMessage(strconv.FormatInt(a.Removed, 10)), "older_than": event.AppendJSONString(nil, rfc3339(a.OlderThan)),
	}
}

func (a *Anchor) notedIn(c *Change) bool {
	return c.Operation == OpDelete && c.OldValue == a.note().text() && c.NewValue == ""
}

// walk follows the rows.
func (part *ChainPart) walk(ctx context.Context, q querier, p VerifyParams) error {
	found, err := q.QueryContext(ctx, `SELECT `+changeColumns+` FROM config_audit_log WHERE id > $1 ORDER BY id LIMIT $2`, part.From.ID, p.Limit)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }() // Err tells what went wrong
	for found.Next() {
		var c Change
		if err := scanChange(found, &c); err != nil {
			return err
		}
		if err := part.follows(&c); err != nil {
			return err
		}
		part.To = ChainPoint{c.ID, c.Hash}
		part.Rows++
		if c.ID == p.Expect.ID && c.Hash != p.Expect.Hash {
			return part.broken(c.ID, "it is not the row that was noted outside, which has the hash %s", p.Expect.Hash)
		}
	}
	return found.Err()
}

// follows checks that c is the row after To.
func (part *ChainPart) follows(c *Change) error {
	switch {
	case c.ID != part.To.ID+1:
		return part.broken(part.To.ID+1, "it is missing, the next one is %d", c.ID)
	case c.PrevHash != part.To.Hash:
		return part.broken(c.ID, "it does not continue row %d", part.To.ID)
	case c.Hash != c.digest():
		return part.broken(c.ID, "its content does not have its hash")
	}
	return nil
}

// checkEnd compares the end of the rows with the head, and with the point that was noted outside.
func (part *ChainPart) checkEnd(p VerifyParams) error {
	if part.Rows == p.Limit && part.To.ID < part.Head.ID {
		return nil // the next part goes on
	}
	if part.To.ID > part.Head.ID {
		return part.broken(part.Head.ID+1, "the head is row %d, but there is, or was, a row %d", part.Head.ID, part.To.ID)
	}
	if part.To != part.Head {
		return part.broken(part.To.ID+1, "the rows up to %d are missing", part.Head.ID)
	}
	part.Complete = true
	a := part.Anchor
	switch want := p.Expect; {
	case want.ID > part.Head.ID:
		return part.broken(part.Head.ID+1, "the rows up to %d, which was noted outside, are missing", want.ID)
	case a != nil && want.ID == a.ID && want.Hash != a.Hash:
		return part.broken(want.ID, "it was not the row that was noted outside, which has the hash %s", want.Hash)
	case a != nil && want.ID > 0 && want.ID < a.ID:
		return part.broken(want.ID, "retention removed it (the rows up to %d, on %s): compare with a row that was noted later", a.ID, rfc3339(a.MadeAt))
	}
	return nil
}

func (part *ChainPart) broken(id int64, format string, args ...any) error {
	part.Broken = id
	return fault.New(fault.Corrupt, "the change audit is broken at row %d: "+format, append([]any{id}, args...)...).
		WithRemedy("see docs/runbooks/audit.md: compare with a backup; the rows before are intact")
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
