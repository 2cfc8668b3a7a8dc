package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// auditRange is the rows of event_audit that conditions select which an index serves: those of the filter, with an id
// from lo (inclusive) to hi (exclusive; zero for no end).
type auditRange struct {
	filter
	s       *Store
	lo, hi  event.ID
	ordered bool // an index gives the rows by id
}

// auditRange gives the rows that f selects by conditions that an index serves, and whether there are other conditions.
func (s *Store) auditRange(f *AuditFilter) (r *auditRange, scans bool) {
	r = &auditRange{s: s, ordered: !s.dialect.windows || f.Hostname != "" || f.RuleID != nil}
	r.text("hostname = $%d", f.Hostname)
	if f.RuleID != nil {
		r.add("matched_rule_id = $%d", *f.RuleID)
	}
	if !f.Start.IsZero() {
		r.from(idFloor(f.Start))
	}
	if !f.End.IsZero() {
		end := f.End.Add(time.Millisecond - time.Nanosecond).UnixMilli()
		r.to(idOfMillis(max(end, 1))) // 0 is no end
	}
	both := f.Hostname != "" && f.RuleID != nil // one index serves one of them, the other is looked for
	return r, both || f.Team != "" || f.Handling != 0 || f.Fate != 0 || f.CorrelationID != "" || f.Query != ""
}

// from leaves the rows from an id on; the zero id takes none away.
func (r *auditRange) from(id event.ID) {
	if id != (event.ID{}) {
		r.lo = id
		r.add("id >= $%d", r.s.dialect.id(&id))
	}
}

// to leaves the rows with a lower id.
func (r *auditRange) to(id event.ID) {
	r.hi = id
	r.add("id < $%d", r.s.dialect.id(&id))
}

// below gives the part with a lower id than before, all when that is zero.
func (r *auditRange) below(before event.ID) *auditRange {
	out := *r
	out.conds, out.args = slices.Clone(r.conds), slices.Clone(r.args)
	if before != (event.ID{}) {
		out.to(before)
	}
	return &out
}

// nth gives the id of the n-th newest row, counted from 0; the zero id when there are fewer.
func (r *auditRange) nth(ctx context.Context, q querier, n int) (event.ID, error) {
	if r.ordered {
		return r.row(ctx, q, "DESC", n)
	}
	id, _, err := r.search(ctx, q, n)
	return id, err
}

// bound leaves n+1 rows or a few more, where no index would let the newest of them be read alone.
func (r *auditRange) bound(ctx context.Context, q querier, n int) error {
	if r.ordered {
		return nil
	}
	id, err := r.nth(ctx, q, n)
	r.from(id)
	return err
}

// row gives the id of the n-th row in an order; the zero id when there are fewer.
func (r *auditRange) row(ctx context.Context, q querier, order string, n int) (id event.ID, err error) {
	err = q.QueryRowContext(ctx, fmt.Sprintf(`SELECT id FROM event_audit%s ORDER BY id %s LIMIT 1 OFFSET %d`, r.where(), order, n),
		r.args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return event.ID{}, nil
	}
	return id, err
}

// total counts, or above exactTotal extrapolates from the time that the newest of them span.
func (r *auditRange) total(ctx context.Context, q querier) (n int64, estimate bool, err error) {
	var sample event.ID // the row after exactTotal, zero when there is none
	if r.ordered {
		n, err = r.count(ctx, q, "event_audit")
		if err == nil && n > exactTotal {
			sample, err = r.nth(ctx, q, exactTotal)
		}
	} else {
		sample, n, err = r.search(ctx, q, exactTotal)
	}
	if err != nil || sample == (event.ID{}) {
		return n, false, err
	}
	newest, err := r.nth(ctx, q, 0)
	if err != nil {
		return n, true, err
	}
	oldest, err := r.oldest(ctx, q, idMillis(newest))
	if err != nil {
		return n, true, err
	}
	span, all := idMillis(newest)-idMillis(sample), idMillis(newest)-oldest
	return max(exactTotal+1, int64(float64(exactTotal+1)*float64(all)/float64(max(span, 1)))), true, nil
}

// idFloor is the lowest id of a time, in whole milliseconds.
func idFloor(t time.Time) event.ID { return idOfMillis(t.UnixMilli()) }

// idOfMillis is the lowest UUIDv7 of a millisecond (RFC 9562 section 5.7: the first 48 bits are Unix milliseconds).
func idOfMillis(ms int64) (id event.ID) {
	ms = max(ms, 0)
	binary.BigEndian.PutUint16(id[:2], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:6], uint32(ms))
	return id
}

func idMillis(id event.ID) int64 {
	return int64(binary.BigEndian.Uint16(id[:2]))<<32 | int64(binary.BigEndian.Uint32(id[2:6]))
}
