package store

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
)

// FatePrefix marks the judging book's rows among KindSums.
const FatePrefix = "fate:"

// ledgerSum gathers the counts of a transaction.
type ledgerSum map[LedgerCount]int64 // key with N 0

func (l ledgerSum) add(counts []LedgerCount) {
	for _, c := range counts {
		n := c.N
		c.N = 0
		l[c] += n
	}
}

// keys gives the rows in the order of the primary key: see Judge.
func (l ledgerSum) keys() []LedgerCount {
	return slices.SortedFunc(maps.Keys(l), func(a, b LedgerCount) int {
		return cmp.Or(cmp.Compare(a.Minute, b.Minute), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Fate, b.Fate))
	})
}

func (l ledgerSum) args(process string) []any {
	args := make([]any, 0, 5*len(l))
	for _, k := range l.keys() {
		args = append(args, k.Minute, process, int64(k.Source), int64(k.Fate), l[k])
	}
	return args
}

// newFolding makes the statements of FoldCounts. What is stored never falls, whoever writes in whatever order.
func newFolding(d dialect) bulk {
	return newBulk(d, `folded_counts (minute, process, kind, label, n)`, `ON CONFLICT (minute, process, kind, label)
		DO UPDATE SET n = excluded.n WHERE excluded.n > folded_counts.n`, 5, halves(64)...)
}

// sameRow reports whether two counts are of one row.
func (c MinuteCount) sameRow(o MinuteCount) bool {
	c.N, o.N = 0, 0
	return c == o
}

// FoldCounts takes over the running totals of the queue's counters. Repeating it changes nothing, and a total that is
// lower than the known one is old news. So is one of a minute up to which the process was merged, see MergeBooks.
func (s *Store) FoldCounts(ctx context.Context, counts []MinuteCount) error {
	if len(counts) == 0 {
		return nil
	}
	sorted := slices.Clone(counts)
	slices.SortFunc(sorted, func(a, b MinuteCount) int {
		return cmp.Or(cmp.Compare(a.Minute, b.Minute), strings.Compare(a.Process, b.Process),
			strings.Compare(a.Kind, b.Kind), strings.Compare(a.Label, b.Label), cmp.Compare(b.N, a.N))
	})
	stmts, err := s.preparedBulks(ctx, &s.folding)
	if err != nil {
		return err
	}
	ctx, done := s.patient(ctx)
	defer done()
	skipped := 0
	err = s.write(ctx, "fold the counters", func(tx *sql.Tx) error {
		closed, err := s.closedCounts(ctx, tx, sorted[0].Minute)
		if err != nil {
			return err
		}
		args := make([]any, 0, 5*len(sorted))
		skipped = 0
		for i, c := range sorted {
			if i > 0 && sorted[i-1].sameRow(c) { // the higher total came first
				continue
			}
			if until, known := closed[c.Process]; known && c.Minute <= until {
				skipped++
				continue
			}
			args = append(args, c.Minute, c.Process, c.Kind, c.Label, c.N)
		}
		return s.folding.exec(ctx, tx, args, stmts[0])
	})
	if err == nil && skipped > 0 {
		s.log.Warn("counters of the queue are older than what the books keep by the minute and were not read again", zap.Int("counters", skipped))
	}
	return err
}

// Sums gives both books and the counts beside them over the minutes from (inclusive) to (exclusive), in Unix minutes, summed
// over processes and sorted by kind and label. Judged events have the kind "fate:" and the fate's name; their label is the source.
func (s *Store) Sums(ctx context.Context, from, to int64) (out []KindSum, err error) {
	err = s.read(ctx, "sum up the books", func(q querier) error {
		out, err = sums(ctx, q, from, to)
		return err
	})
	return out, err
}

func sums(ctx context.Context, q querier, from, to int64) ([]KindSum, error) {
	judged, err := list(ctx, q, scanJudged, `SELECT fate, source, sum(n) FROM ledger
		WHERE minute >= $1 AND minute < $2 GROUP BY fate, source`, from, to)
	if err != nil {
		return nil, err
	}
	folded, err := list(ctx, q, scanFolded, `SELECT kind, label, sum(n) FROM folded_counts
		WHERE minute >= $1 AND minute < $2 GROUP BY kind, label`, from, to)
	out := append(judged, folded...)
	slices.SortFunc(out, func(a, b KindSum) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Label, b.Label))
	})
	return out, err
}

// Judged returns how many events were judged from a minute on.
func (s *Store) Judged(ctx context.Context, from int64) (n int64, err error) {
	err = s.read(ctx, "count judged events", func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT coalesce(sum(n), 0) FROM ledger WHERE minute >= $1`, from).Scan(&n)
	})
	return n, err
}

// StepSum is a sum over one step of time, see Steps.
type StepSum struct {
	Step int // from 0
	KindSum
}

// Steps returns what Sums does for each of the steps of so many minutes between from (inclusive) and to (exclusive), without labels. Steps
// without counts are missing.
func (s *Store) Steps(ctx context.Context, from, to, step int64) ([]StepSum, error) {
	var judged, folded []StepSum
	err := s.read(ctx, "sum up the books by time", func(q querier) (err error) {
		if judged, err = list(ctx, q, scanJudgedStep, `SELECT (minute - $1) / $3, fate, sum(n) FROM ledger
			WHERE minute >= $1 AND minute < $2 GROUP BY 1, 2`, from, to, step); err != nil {
			return err
		}
		folded, err = list(ctx, q, scanFoldedStep, `SELECT (minute - $1) / $3, kind, sum(n) FROM folded_counts
			WHERE minute >= $1 AND minute < $2 GROUP BY 1, 2`, from, to, step)
		return err
	})
	out := append(judged, folded...)
	slices.SortFunc(out, func(a, b StepSum) int { return cmp.Or(cmp.Compare(a.Step, b.Step), strings.Compare(a.Kind, b.Kind)) })
	return out, err
}

func scanJudgedStep(rows *sql.Rows, s *StepSum) error {
	var fate event.Fate
	err := rows.Scan(&s.Step, &fate, &s.N)
	s.Kind = FatePrefix + fate.String()
	return err
}

func scanFoldedStep(rows *sql.Rows, s *StepSum) error { return rows.Scan(&s.Step, &s.Kind, &s.N) }

func scanJudged(rows *sql.Rows, c *KindSum) error {
	var fate event.Fate
	var source event.Source
	err := rows.Scan(&fate, &source, &c.N)
	c.Kind, c.Label = FatePrefix+fate.String(), source.String()
	return err
}

func scanFolded(rows *sql.Rows, c *KindSum) error { return rows.Scan(&c.Kind, &c.Label, &c.N) }

// Books are the sums of the two books over everything that is stored.
type Books struct {
	Fates map[event.Fate]int64 // judged events
	Kinds map[string]int64     // the queue's counters, by kind (queue.CountReceived, …)
}

// Books returns the sums of the two books as one state. Counters that were not folded yet are not in it.
func (s *Store) Books(ctx context.Context) (b Books, err error) {
	err = s.read(ctx, "read the books", func(q querier) error {
		b, err = readBooks(ctx, q)
		return err
	})
	return b, err
}

// BooksSince returns what Books returns and, of the same state, what was counted in a minute or later, as Sums does.
func (s *Store) BooksSince(ctx context.Context, from int64) (b Books, since []KindSum, err error) {
	err = s.read(ctx, "read the books", func(q querier) error {
		if b, err = readBooks(ctx, q); err != nil {
			return err
		}
		since, err = sums(ctx, q, from, math.MaxInt64)
		return err
	})
	return b, since, err
}

func readBooks(ctx context.Context, q querier) (Books, error) {
	b := Books{Fates: map[event.Fate]int64{}, Kinds: map[string]int64{}}
	judged, err := list(ctx, q, scanPair[event.Fate], `SELECT fate, sum(n) FROM ledger GROUP BY fate`)
	if err != nil {
		return b, err
	}
	folded, err := list(ctx, q, scanPair[string], `SELECT kind, sum(n) FROM folded_counts GROUP BY kind`)
	for _, p := range judged {
		b.Fates[p.key] = p.n
	}
	for _, p := range folded {
		b.Kinds[p.key] = p.n
	}
	return b, err
}

type pair[K any] struct {
	key K
	n   int64
}

func scanPair[K any](rows *sql.Rows, p *pair[K]) error { return rows.Scan(&p.key, &p.n) }

// countReceived is queue.CountReceived; a test holds them equal.
const countReceived = "received"

// RatePerMinute gives how many events were received in each minute from (inclusive) to (exclusive), in Unix minutes.
func (s *Store) RatePerMinute(ctx context.Context, from, to int64) ([]int64, error) {
	out := make([]int64, max(to-from, 0))
	found, err := list(ctx, s.reader, scanPair[int64], `SELECT minute, sum(n) FROM folded_counts
		WHERE kind = $1 AND minute >= $2 AND minute < $3 GROUP BY minute`, countReceived, from, to)
	if err != nil {
		return nil, s.fail(ctx, err, "read the rate")
	}
	for _, p := range found {
		out[p.key-from] = p.n
	}
	return out, nil
}
