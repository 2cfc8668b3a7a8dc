package store

import (
	"bytes"
	"context"
	"database/sql"
	"slices"

	"github.com/muttproject/mutt/platform/event"
)

// NoteKeyUse writes when secrets were used last, where that is later than what is known. Secrets that no key has are
// left out. It is the exception to Change: a use is no change, has no audit row and no revision.
func (s *Store) NoteKeyUse(ctx context.Context, uses []KeyUse) error {
	if len(uses) == 0 {
		return nil
	}
	ctx, done := s.patient(ctx)
	defer done()
	uses = slices.SortedFunc(slices.Values(uses), func(a, b KeyUse) int { return bytes.Compare(a.Hash, b.Hash) })
	return s.write(ctx, "note the use of API keys", func(tx *sql.Tx) error {
		for _, u := range uses {
			for _, statement := range []string{
				`UPDATE api_keys SET last_used = $1 WHERE hash = $2 AND (last_used IS NULL OR last_used < $1)`,
				`UPDATE api_keys SET second_used = $1 WHERE second = $2 AND (second_used IS NULL OR second_used < $1)`,
			} {
				if _, err := tx.ExecContext(ctx, statement, event.Micros(u.At), u.Hash); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
