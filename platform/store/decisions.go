package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muttproject/mutt/platform/event"
)

// decisionsAtOnce is how many ids one statement asks for.
const decisionsAtOnce = 500

// Decisions gives the stored decisions of events, by event id: what is published of an entry that was judged before.
// Events without an audit row are missing in the answer.
func (s *Store) Decisions(ctx context.Context, ids []event.ID) (map[event.ID]event.Decision, error) {
	ctx, done := s.patient(ctx)
	defer done()
	out := make(map[event.ID]event.Decision, len(ids))
	for part := range slices.Chunk(ids, decisionsAtOnce) {
		marks, args := make([]string, len(part)), make([]any, len(part))
		for i := range part {
			marks[i], args[i] = s.dialect.bulkMark(i+1), s.dialect.id(&part[i])
		}
		found, err := list(ctx, s.reader, scanAuditLog, fmt.Sprintf(`SELECT %s FROM event_audit WHERE id IN (%s)`,
			auditColumns, strings.Join(marks, ", ")), args...)
		if err != nil {
			return nil, s.fail(ctx, err, "read stored decisions")
		}
		for i := range found {
			out[found[i].ID] = found[i].Decision
		}
	}
	return out, nil
}
