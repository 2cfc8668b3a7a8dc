package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// benchBooks sums up a year of minutes, each with 8 counters and 3 fates, before and after the merging.
func benchBooks(b *testing.B, h Harness) {
	s := open(b, h)
	now := time.Now()
	last := now.Unix()/60 + 1
	minutes := fmt.Sprintf(`WITH RECURSIVE m (m) AS (SELECT %d UNION ALL SELECT m + 1 FROM m WHERE m < %d)`, last-365*24*60, last-1)
	must(b, s.Exec(fmt.Sprintf(`INSERT INTO folded_counts %s SELECT m, 'run-' || (m / 10080), k.k, l.l, 1000 FROM m,
		(SELECT '%s' k UNION SELECT '%s' UNION SELECT '%s' UNION SELECT '%s') k, (SELECT 'http' l UNION SELECT 'syslog') l`,
		minutes, queue.CountReceived, queue.CountDelivered, queue.CountJudgingLatency, queue.CountDeliveryLatency)))
	must(b, s.Exec(fmt.Sprintf(`INSERT INTO ledger %s SELECT m, 'run-' || (m / 10080), %d, f.f, 1000 FROM m, (SELECT %d f UNION SELECT %d UNION SELECT %d) f`,
		minutes, event.SourceHTTP, event.FateForwarded, event.FateUnhandled, event.FateShed)))
	must(b, s.Exec(`ANALYZE`))
	measure := func(when string) {
		b.Run(when+"/all time", func(b *testing.B) {
			for b.Loop() {
				value[store.Books](b)(s.Books(b.Context()))
			}
		})
		for _, window := range []time.Duration{24 * time.Hour, 30 * 24 * time.Hour} {
			b.Run(fmt.Sprintf("%s/%.0f h", when, window.Hours()), func(b *testing.B) {
				for b.Loop() {
					value[[]store.KindSum](b)(s.Sums(b.Context(), store.BooksFrom(last, window), last))
				}
			})
		}
	}
	measure("minutes")
	steps, began := 0, time.Now()
	for taken := 1; taken > 0; steps += taken {
		taken = value[int](b)(s.MergeBooks(b.Context(), now, 1000))
	}
	b.Logf("%d steps in %s", steps, time.Since(began))
	must(b, s.Exec(`VACUUM`)) // PostgreSQL does it by itself after a while
	measure("merged")
}
