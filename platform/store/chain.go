package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"

	"github.com/muttproject/mutt/platform/event"
)

// ChainPoint is a row of the change audit by its number and hash, which stands for everything up to it. The zero
// one is the beginning.
type ChainPoint struct {
	ID   int64
	Hash string
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
func (t *Tx) writeAudit(head ChainPoint, reason string) (ChainPoint, error) {
	for i := range t.pending {
		c := &t.pending[i]
		c.ID, c.PrevHash = head.ID+1, head.Hash
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
		head = ChainPoint{c.ID, c.Hash}
	}
	return head, nil
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
