package store

import (
	"crypto/sha256"
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

// chainColumns is the number of parameters of a row of the change audit.
const chainColumns = 13

// newAudit returns the statements that append rows to the change audit.
func newAudit(d dialect) bulk {
	return newBulk(d, `config_audit_log (`+changeColumns+`)`, "", chainColumns, 50, 10, 1)
}

// chain continues the chain with the pending rows: it returns its new head, and the parameters of the rows.
func (t *Tx) chain(head ChainPoint, reason string) (ChainPoint, []any) {
	args := make([]any, 0, len(t.pending)*chainColumns)
	var prevHash any = head.Hash
	var at, by, why, correlation, revision any = event.Micros(t.at), t.actor.Name, reason, t.actor.CorrelationID, t.revision
	for i := range t.pending {
		c := &t.pending[i]
		c.ID, c.PrevHash = head.ID+1, head.Hash
		c.ChangedAt, c.ChangedBy, c.CorrelationID = t.at, t.actor.Name, t.actor.CorrelationID
		c.Reason, c.Revision = reason, t.revision
		c.Hash = c.digest()
		var hash any = c.Hash
		args = append(args, c.ID, at, by, c.Operation, c.TableName, c.RecordID, nullText(c.OldValue), nullText(c.NewValue),
			why, correlation, revision, prevHash, hash)
		head, prevHash = ChainPoint{c.ID, c.Hash}, hash
	}
	return head, args
}

// nullText returns a parameter: NULL for no text.
func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}
