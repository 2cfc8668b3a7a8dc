package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Rows of the books are kept by minute and process for a while, then by hour, then by day. Invariants:
//
//   - A merged row has the process "" and the first minute of its hour or day (UTC). A step moves counts from rows to one row in one
//     transaction, so every sum is the same before and after it if its borders are on the grid.
//   - A running total counts once: a step notes in books_closed up to which minute a process was merged, and FoldCounts skips totals up
//     to there. A lock makes each fold see a step wholly or not at all.

const (
	// BooksMinutes is how long the books are kept by the minute. Readers that look back further must begin at a whole hour, see BooksFrom.
	// It exceeds the 48 hours for which the queue keeps its counters by a day, in case the queue was restored from yesterday's backup.
	BooksMinutes = 72 * time.Hour
	// booksHours is how long they are kept by the hour: longer than any window of an objective (30 days).
	booksHours = 40 * 24 * time.Hour

	minutesOfHour, minutesOfDay = int64(60), int64(24 * 60)
)

// BooksFrom returns the first minute of a window that ends at a minute: the beginning of its hour where the window is longer than the books are
// kept by the minute. The window is then up to an hour longer.
func BooksFrom(to int64, window time.Duration) int64 {
	from := to - int64(window/time.Minute)
	if window > BooksMinutes-time.Hour { // an hour of slack: the janitor's clock may be ahead
		from -= from % minutesOfHour
	}
	return from
}

// span is one kind of merging: rows that satisfy rows go into the row of their span of so many minutes.
type span struct {
	minutes int64
	older   time.Duration
	rows    string
}

// spans lists the kinds of merging in their order. The first minute of a day is the day's own row.
func spans() []span {
	return []span{
		{minutesOfHour, BooksMinutes, `process <> ''`},
		{minutesOfDay, booksHours, fmt.Sprintf(`process = '' AND minute %% %d <> 0`, minutesOfDay)},
	}
}

// bookTable is a book with its two columns that stay apart.
type bookTable[A, B cmp.Ordered] struct{ name, a, b string }

type bookKey[A, B cmp.Ordered] struct {
	a A
	b B
}

func judgingTable() bookTable[event.Source, event.Fate] {
	return bookTable[event.Source, event.Fate]{"ledger", "source", "fate"}
}

func foldedTable() bookTable[string, string] {
	return bookTable[string, string]{"folded_counts", "kind", "label"}
}

// MergeBooks merges old rows of the books, the oldest first, in at most so many steps: one hour or day of one book each, in a transaction of its
// own. It reports how many steps it took; fewer than allowed means that nothing is left to merge. It may be cut off anywhere, and several
// processes may merge at once.
func (s *Store) MergeBooks(ctx context.Context, now time.Time, steps int) (taken int, err error) {
	for _, sp := range spans() {
		before := now.Add(-sp.older).Unix() / 60
		before -= before % sp.minutes
		for _, merge := range []func(context.Context, *Store, span, int64, int) (int, error){judgingTable().mergeOld, foldedTable().mergeOld} {
			n, err := merge(ctx, s, sp, before, steps-taken)
			if taken += n; err != nil {
				return taken, err
			}
		}
	}
	return taken, s.write(ctx, "prune the closed counters", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM books_closed WHERE closed_at < $1`, event.Micros(now.Add(-booksHours)))
		return err
	})
}

// mergeOld merges the spans of one book that end by a minute.
func (t bookTable[A, B]) mergeOld(ctx context.Context, s *Store, sp span, before int64, steps int) (taken int, err error) {
	oldest := fmt.Sprintf(`SELECT minute FROM %s WHERE minute >= $1 AND minute < $2 AND %s ORDER BY minute LIMIT 1`, t.name, sp.rows)
	from := int64(0)
	for ; taken < steps; taken++ {
		found, err := first(list(ctx, s.reader, func(rows *sql.Rows, minute *int64) error { return rows.Scan(minute) }, oldest, from, before))
		if err != nil || found == nil {
			return taken, s.fail(ctx, err, "look for old rows of the books")
		}
		from = *found - *found%sp.minutes
		if err := s.write(ctx, "merge old rows of the books", func(tx *sql.Tx) error { return t.merge(ctx, s, tx, sp, from) }); err != nil {
			return taken, err
		}
		from += sp.minutes
	}
	return taken, nil
}

// merge does one step: the rows of a span become one for each pair of the two columns.
func (t bookTable[A, B]) merge(ctx context.Context, s *Store, tx *sql.Tx, sp span, from int64) error {
	if err := s.lockBooks(ctx, tx, s.dialect.closeBooks); err != nil {
		return err
	}
	type moved struct {
		process string
		minute  int64
		key     bookKey[A, B]
		n       int64
	}
	rows, err := list(ctx, tx, func(rows *sql.Rows, m *moved) error {
		return rows.Scan(&m.process, &m.minute, &m.key.a, &m.key.b, &m.n)
	},
		fmt.Sprintf(`DELETE FROM %s WHERE minute >= $1 AND minute < $2 AND %s RETURNING process, minute, %s, %s, n`, t.name, sp.rows, t.a, t.b), from, from+sp.minutes)
	if err != nil {
		return err
	}
	sums, closed := map[bookKey[A, B]]int64{}, map[string]int64{}
	for _, m := range rows {
		sums[m.key] += m.n
		if m.process != "" {
			closed[m.process] = max(closed[m.process], m.minute)
		}
	}
	add := fmt.Sprintf(`INSERT INTO %[1]s (minute, process, %[2]s, %[3]s, n) VALUES ($1, '', $2, $3, $4)
		ON CONFLICT (minute, process, %[2]s, %[3]s) DO UPDATE SET n = %[1]s.n + excluded.n`, t.name, t.a, t.b)
	for _, k := range slices.SortedFunc(maps.Keys(sums), func(x, y bookKey[A, B]) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) }) {
		if _, err := tx.ExecContext(ctx, add, from, k.a, k.b, sums[k]); err != nil {
			return err
		}
	}
	if t.name != foldedTable().name { // what is judged is added up and not a running total
		return nil
	}
	for _, process := range slices.Sorted(maps.Keys(closed)) {
		if _, err := tx.ExecContext(ctx, `INSERT INTO books_closed (process, minute, closed_at) VALUES ($1, $2, $3) ON CONFLICT (process) DO UPDATE SET
			minute = CASE WHEN excluded.minute > books_closed.minute THEN excluded.minute ELSE books_closed.minute END, closed_at = excluded.closed_at`,
			process, closed[process], event.Micros(s.now())); err != nil {
			return err
		}
	}
	return nil
}

// closedCounts returns up to which minute each process was merged, of those that were merged at or after a minute.
func (s *Store) closedCounts(ctx context.Context, tx *sql.Tx, since int64) (map[string]int64, error) {
	if err := s.lockBooks(ctx, tx, s.dialect.foldBooks); err != nil {
		return nil, err
	}
	found, err := list(ctx, tx, scanPair[string], `SELECT process, minute FROM books_closed WHERE minute >= $1`, since)
	closed := make(map[string]int64, len(found))
	for _, p := range found {
		closed[p.key] = p.n
	}
	return closed, err
}

// lockBooks runs a statement of the dialect that holds until the end of the transaction. SQLite writes one transaction at a time anyway.
func (s *Store) lockBooks(ctx context.Context, tx *sql.Tx, how string) error {
	if how == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, how)
	return err
}
