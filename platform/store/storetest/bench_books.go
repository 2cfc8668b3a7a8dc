package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// benchBooks sums up a year, each minute with 8 counters and 3 fates: as minutes, and as the merging leaves it.
func benchBooks(b *testing.B, h Harness) {
	now := time.Now()
	last := now.Unix()/60 + 1
	day := last - last%1440
	for _, c := range []struct {
		name  string
		parts [][3]int64 // from, to and the minutes of a row
	}{
		{"minutes", [][3]int64{{last - 365*1440, last, 1}}},
		{"merged", [][3]int64{{day - 365*1440, day - 40*1440, 1440}, {day - 40*1440, day - 3*1440, 60}, {day - 3*1440, last, 1}}},
	} {
		s := open(b, h)
		for _, p := range c.parts {
			fillBooks(b, s, p[0], p[1], p[2])
		}
		must(b, s.Exec(`ANALYZE`))
		b.Run(c.name+"/all time", func(b *testing.B) {
			for b.Loop() {
				value[store.Books](b)(s.Books(b.Context()))
			}
		})
		for _, window := range []time.Duration{24 * time.Hour, 30 * 24 * time.Hour} {
			b.Run(fmt.Sprintf("%s/%.0f h", c.name, window.Hours()), func(b *testing.B) {
				for b.Loop() {
					value[[]store.KindSum](b)(s.Sums(b.Context(), store.BooksFrom(last, window), last))
				}
			})
		}
		b.Run(c.name+"/merge step", func(b *testing.B) {
			for b.Loop() {
				value[int](b)(s.MergeBooks(b.Context(), now, 1))
			}
		})
	}
}

// fillBooks writes both books from one minute up to another, with rows of so many minutes.
func fillBooks(b *testing.B, s Instance, from, to, step int64) {
	process := `'run-' || (m / 10080)`
	if step > 1 {
		process = `''`
	}
	minutes := fmt.Sprintf(`WITH RECURSIVE m (m) AS (SELECT %d UNION ALL SELECT m + %[3]d FROM m WHERE m + %[3]d < %[2]d)`, from, to, step)
	must(b, s.Exec(fmt.Sprintf(`INSERT INTO folded_counts %s SELECT m, %s, k.k, l.l, 1000 FROM m,
		(SELECT '%s' k UNION SELECT '%s' UNION SELECT '%s' UNION SELECT '%s') k, (SELECT 'http' l UNION SELECT 'syslog') l`,
		minutes, process, queue.CountReceived, queue.CountDelivered, queue.CountJudgingLatency, queue.CountDeliveryLatency)))
	must(b, s.Exec(fmt.Sprintf(`INSERT INTO ledger %s SELECT m, %s, %d, f.f, 1000 FROM m, (SELECT %d f UNION SELECT %d UNION SELECT %d) f`,
		minutes, process, event.SourceHTTP, event.FateForwarded, event.FateUnhandled, event.FateShed)))
}
