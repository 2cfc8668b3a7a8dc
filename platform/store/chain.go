package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// chainHead is the last row of the change audit: its number and hash; zero for an empty one.
type chainHead struct {
	id   int64
	hash string
}

// digest is the SHA-256 of the row and of the hash before it. Each text is preceded by its length, so that no two
// rows have the same encoding. The encoding is permanent: old rows are verified with it.
func (c *Change) digest() string {
	b := append([]byte(nil), "mutt-change-1\n"...)
	text := func(s string) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	number := func(n int64) { b = binary.BigEndian.AppendUint64(b, uint64(n)) }
	text(c.PrevHash)
	number(c.ID)
	number(event.Micros(c.ChangedAt))
	for _, s := range [...]string{c.ChangedBy, c.Operation, c.TableName, c.RecordID, c.OldValue, c.NewValue,
		c.Reason, c.CorrelationID} {
		text(s)
	}
	number(c.Revision)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// writeAudit appends the pending rows to the chain.
func (t *Tx) writeAudit(head chainHead, reason string) (chainHead, error) {
	for i := range t.pending {
		c := &t.pending[i]
		c.ID, c.PrevHash = head.id+1, head.hash
		c.ChangedAt, c.ChangedBy, c.CorrelationID = t.at, t.actor.Name, t.actor.CorrelationID
		c.Reason, c.Revision = reason, t.revision
		c.Hash = c.digest()
		if err := t.exec(`INSERT INTO config_audit_log (id, changed_at, changed_by, operation, table_name, record_id,
			old_value, new_value, reason, correlation_id, revision, prev_hash, hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			c.ID, event.Micros(c.ChangedAt), c.ChangedBy, c.Operation, c.TableName, c.RecordID,
			nullText(c.OldValue), nullText(c.NewValue), c.Reason, c.CorrelationID, c.Revision, c.PrevHash, c.Hash); err != nil {
			return head, err
		}
		head = chainHead{c.ID, c.Hash}
	}
	return head, nil
}

// VerifyChain recomputes the change audit from its first row: how many rows hold, and the hash of the last one.
// A row that was edited, removed or put in, and a tail that was cut off, is Corrupt and named.
func (s *Store) VerifyChain(ctx context.Context) (rows int64, head string, err error) {
	var last, want chainHead
	err = s.read(ctx, "verify the change audit", func(q querier) error {
		rows, last = 0, chainHead{}
		if err := q.QueryRowContext(ctx, `SELECT audit_id, audit_hash FROM revisions WHERE id = 1`).
			Scan(&want.id, &want.hash); err != nil {
			return err
		}
		found, err := q.QueryContext(ctx, `SELECT `+changeColumns+` FROM config_audit_log ORDER BY id`)
		if err != nil {
			return err
		}
		defer func() { _ = found.Close() }() // Err tells what went wrong
		for found.Next() {
			var c Change
			if err := scanChange(found, &c); err != nil {
				return err
			}
			if err := follows(last, &c); err != nil {
				return err
			}
			last = chainHead{c.ID, c.Hash}
			rows++
		}
		return found.Err()
	})
	if err == nil && last != want {
		err = broken(last.id+1, "the rows up to %d are missing", want.id)
	}
	return rows, last.hash, err
}

// follows checks that c is the row after last.
func follows(last chainHead, c *Change) error {
	switch {
	case c.ID != last.id+1:
		return broken(last.id+1, "it is missing, the next one is %d", c.ID)
	case c.PrevHash != last.hash:
		return broken(c.ID, "it does not continue row %d", last.id)
	case c.Hash != c.digest():
		return broken(c.ID, "its content does not have its hash")
	}
	return nil
}

func broken(id int64, format string, args ...any) error {
	return fault.New(fault.Corrupt, "the change audit is broken at row %d: "+format, append([]any{id}, args...)...).
		WithRemedy("compare with a backup: the rows before are intact")
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
