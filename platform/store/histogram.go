package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// Histogram is how many judged events a filter fits, by time and fate.
type Histogram struct {
	Counts  []HistogramCount
	Partial bool      // the window ended before all were looked at
	From    time.Time // how far back was looked: the filter's Start, or with Partial the oldest row of the window
}

// HistogramCount is one count of a Histogram.
type HistogramCount struct {
	Step int64 // from the filter's Start
	Fate event.Fate
	N    int64
}

// Histogram counts the newest events that f fits, from f.Start on, which is required, by steps of whole milliseconds and fate. Like AuditLogs
// it looks through at most Options.ScanWindow rows, whatever f has; Limit, Offset and Before are not looked at.
func (s *Store) Histogram(ctx context.Context, f AuditFilter, step time.Duration) (h Histogram, err error) {
	err = s.read(ctx, "count judged events by time", func(q querier) error {
		indexed, others, err := s.auditFilter(ctx, q, &f)
		if err != nil {
			return err
		}
		h = Histogram{From: f.Start}
		floor, err := nthID(ctx, q, indexed, s.window)
		if err != nil {
			return err
		}
		walk := indexed.and()
		if floor != (event.ID{}) {
			walk.add("id > $%d", s.dialect.id(&floor))
			oldest, err := nthID(ctx, q, indexed, s.window-1)
			if err != nil {
				return err
			}
			h.Partial, h.From = true, time.UnixMilli(idMillis(oldest)).UTC()
		}
		for _, c := range others {
			walk.add(c.text, c.arg)
		}
		rows := walk.byID("id, received_at, fate", "DESC", s.window, 0)
		args := append(walk.args, event.Micros(f.Start), step.Microseconds())
		from, each := len(walk.args)+1, len(walk.args)+2
		h.Counts, err = list(ctx, q, func(rows *sql.Rows, c *HistogramCount) error { return rows.Scan(&c.Step, &c.Fate, &c.N) },
			fmt.Sprintf(`SELECT (received_at - $%d) / $%d, fate, count(*) FROM (%s) AS fitting GROUP BY 1, 2 ORDER BY 1, 2`, from, each, rows), args...)
		return err
	})
	return h, err
}
