package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
)

// Hits of rules are counted with the audit rows, in one row of rule_hits_pending for each transaction: processes do not wait for each
// other, however many rules win. FoldHits adds them up by rule and hour.

const (
	hourMicros = int64(time.Hour / time.Microsecond)
	// foldHits is how many pending rows one transaction folds.
	foldHits = 1000
)

type hitKey struct{ rule, hour int64 }

type hit struct{ n, last int64 }

// hitSum gathers the hits of a transaction.
type hitSum map[hitKey]hit

// add counts the rows that a rule won.
func (h hitSum) add(rows []AuditRow) {
	for i := range rows {
		d := rows[i].Decision
		if d.RuleID == 0 || d.Fate == event.FatePoison {
			continue
		}
		at := rows[i].Event.ReceivedAt // read only here: the events of most rows are not in the cache any more
		k := hitKey{d.RuleID, at / hourMicros}
		s := h[k]
		h[k] = hit{s.n + 1, max(s.last, at)}
	}
}

// merge adds other sums.
func (h hitSum) merge(k hitKey, other hit) {
	s := h[k]
	h[k] = hit{s.n + other.n, max(s.last, other.last)}
}

// keys returns the keys in the order of the primary key, so that two processes never wait for each other's rows in a circle.
func (h hitSum) keys() []hitKey {
	return slices.SortedFunc(maps.Keys(h), func(a, b hitKey) int { return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.hour, b.hour)) })
}

// encode returns the sum as it is stored, nil when it is empty: for each key rule, hour, count and the last time within the hour.
func (h hitSum) encode() []byte {
	if len(h) == 0 {
		return nil
	}
	out := make([]byte, 0, 16*len(h)) // mostly enough
	for k, s := range h {
		for _, n := range [...]int64{k.rule, k.hour, s.n, s.last - k.hour*hourMicros} {
			out = binary.AppendUvarint(out, uint64(n))
		}
	}
	return out
}

// decode adds a stored sum, and nothing of one that is damaged.
func (h hitSum) decode(data []byte) (ok bool) {
	sum := hitSum{}
	for len(data) > 0 {
		var v [4]int64
		for i := range v {
			n, size := binary.Uvarint(data)
			if size <= 0 || n > 1<<48 { // more than any count, id, hour or µs of an hour
				return false
			}
			v[i], data = int64(n), data[size:]
		}
		if v[1] > math.MaxInt64/hourMicros-1 {
			return false
		}
		sum.merge(hitKey{v[0], v[1]}, hit{v[2], v[1]*hourMicros + v[3]})
	}
	for k, n := range sum {
		h.merge(k, n)
	}
	return true
}

func newHits(d dialect) bulk {
	return newBulk(d, `rule_hits (rule_id, hour, n, last_at)`, `ON CONFLICT (rule_id, hour) DO UPDATE SET n = rule_hits.n + excluded.n,
		last_at = CASE WHEN excluded.last_at > rule_hits.last_at THEN excluded.last_at ELSE rule_hits.last_at END`, 4, halves(128)...)
}

// FoldHits adds the pending hits to those of the rules. Several processes may do it at once: a pending row is taken by one of them. A damaged
// row is removed and logged: the books, which are folded by the same callers, do not wait for it.
func (s *Store) FoldHits(ctx context.Context) error {
	stmts, err := s.preparedBulks(ctx, &s.hits)
	if err != nil {
		return err
	}
	for {
		waiting, err := first(list(ctx, s.reader, func(rows *sql.Rows, id *int64) error { return rows.Scan(id) }, `SELECT id FROM rule_hits_pending LIMIT 1`))
		if err != nil || waiting == nil { // the usual case writes nothing
			return s.fail(ctx, err, "read the pending hits of rules")
		}
		taken, damaged := 0, 0
		err = s.write(ctx, "fold the hits of rules", func(tx *sql.Tx) error {
			sum := hitSum{}
			rows, err := tx.QueryContext(ctx, `DELETE FROM rule_hits_pending WHERE id IN (SELECT id FROM rule_hits_pending ORDER BY id LIMIT $1) RETURNING hits`, foldHits)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }() // Err reports what went wrong
			for taken, damaged = 0, 0; rows.Next(); taken++ {
				var data []byte
				if err := rows.Scan(&data); err != nil {
					return err
				}
				if !sum.decode(data) {
					damaged++
				}
			}
			if err := rows.Err(); err != nil {
				return err
			}
			args := make([]any, 0, 4*len(sum))
			for _, k := range sum.keys() {
				args = append(args, k.rule, k.hour, sum[k].n, sum[k].last)
			}
			return s.hits.exec(ctx, tx, args, stmts[0])
		})
		if err == nil && damaged > 0 {
			s.log.Error("the hits of rules are too low: what was counted with some transactions of judging is damaged in the store and was removed", zap.Int("transactions", damaged))
		}
		if err != nil || taken < foldHits {
			return err
		}
	}
}

// newestHits reads one row of each rule, the one of its last hour: from rule to rule along the primary key.
const newestHits = `WITH RECURSIVE won (id) AS (
		SELECT min(rule_id) FROM rule_hits
		UNION ALL SELECT (SELECT min(rule_id) FROM rule_hits WHERE rule_id > won.id) FROM won WHERE won.id IS NOT NULL)
	SELECT id, (SELECT last_at FROM rule_hits WHERE rule_id = won.id ORDER BY hour DESC LIMIT 1) FROM won WHERE id IS NOT NULL ORDER BY id`

// RuleHits is how often a rule won.
type RuleHits struct {
	RuleID int64
	N      int64      // since the hour that was asked for
	Hours  []HourHits // of these, in the order of time; hours without hits are missing
	Last   time.Time  // of the newest event that it won, whenever that was
}

// HourHits counts the hits of one hour.
type HourHits struct {
	Hour int64 // since 1970
	N    int64
}

// RuleHits returns the hits of each rule since the hour of a time, by rule. Pending hits are not among them: see FoldHits.
func (s *Store) RuleHits(ctx context.Context, since time.Time) (out []RuleHits, err error) {
	err = s.read(ctx, "read the hits of rules", func(q querier) error {
		if out, err = list(ctx, q, func(rows *sql.Rows, h *RuleHits) error {
			var last int64
			err := rows.Scan(&h.RuleID, &last)
			h.Last = event.Time(last)
			return err
		}, newestHits); err != nil {
			return err
		}
		at := 0
		_, err := list(ctx, q, func(rows *sql.Rows, _ *struct{}) error {
			var rule int64
			var h HourHits
			if err := rows.Scan(&rule, &h.Hour, &h.N); err != nil {
				return err
			}
			for out[at].RuleID != rule { // both are of one state and in the order of the rules
				at++
			}
			out[at].N += h.N
			out[at].Hours = append(out[at].Hours, h)
			return nil
		}, `SELECT rule_id, hour, n FROM rule_hits WHERE hour >= $1 ORDER BY rule_id, hour`, since.UnixMicro()/hourMicros)
		return err
	})
	return out, err
}

// PruneHits removes the hits of hours before a time, but keeps the last hour of each rule that exists, from which its last match is known.
func (s *Store) PruneHits(ctx context.Context, before time.Time) error {
	return s.write(ctx, "prune the hits of rules", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM rule_hits WHERE hour < $1 AND (
			EXISTS (SELECT 1 FROM rule_hits AS later WHERE later.rule_id = rule_hits.rule_id AND later.hour > rule_hits.hour)
			OR NOT EXISTS (SELECT 1 FROM alert_rules WHERE alert_rules.id = rule_hits.rule_id))`, before.UnixMicro()/hourMicros)
		return err
	})
}
