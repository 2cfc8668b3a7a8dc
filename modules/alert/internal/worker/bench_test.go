package worker

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/alert/internal/busiest"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/trouble"
)

// thousand is a set of 1,000 contains rules.
func thousand(b *testing.B) *rule.Set {
	rules := make([]rule.Rule, 1000)
	for i := range rules {
		rules[i] = rule.Rule{ID: int64(i + 1), Name: fmt.Sprint("rule ", i), MatchString: fmt.Sprintf("code-%04d-fault", i), Priority: 100,
			ProdHandling: "Page_and_ticket", DevHandling: "Log_only", TeamAssignment: "NETO", IsActive: true}
	}
	set, err := rule.Compile(rules, rule.Tables{Version: 1})
	if err != nil {
		b.Fatal(err)
	}
	return set
}

// benchEvents makes ~200-byte messages of 500 hosts, of which 20 % match a rule.
func benchEvents(n int) []event.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	events := make([]event.Event, n)
	now := time.Now().UnixMicro()
	for i := range events {
		tail := "adjacency reset after the dead timer expired"
		if i%5 == 0 {
			tail = fmt.Sprintf("code-%04d-fault raised by the supervisor", rng.IntN(1000))
		}
		events[i] = event.Event{ID: uuid.Must(uuid.NewV7()), ReceivedAt: now, Timestamp: now, Source: event.SourceHTTP, Severity: 4,
			Facility: 23, Hostname: fmt.Sprintf("sw-%03d.example.net", rng.IntN(500)), SourceIP: "192.0.2.17", CorrelationID: uuid.NewString(),
			Message: fmt.Sprintf("%%OSPF-5-ADJCHG: Process 1, Nbr 198.51.100.%d on GigabitEthernet1/0/%d from FULL to DOWN, %s, %d retries, "+
				"area 0.0.0.0, vrf default, instance 4", rng.IntN(250), rng.IntN(48), tail, rng.IntN(10000))}
	}
	return events
}

// cpu gives the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWorker is the alerter's share of the embedded mode: claim, judge, store, count, publish, acknowledge, on SQLite
// with fsync, from a full queue. One operation is one event.
func BenchmarkWorker(b *testing.B) {
	for _, tc := range []struct {
		entry  int
		sample string
	}{{500, "100"}, {500, "1"}, {10, "100"}} {
		b.Run(fmt.Sprintf("entry=%d/audited=%s%%", tc.entry, tc.sample), func(b *testing.B) {
			d, err := sqliteq.Open(b.Context(), filepath.Join(b.TempDir(), "queue.db"), sqliteq.Options{Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			st, err := store.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "mutt.db"), Logger: zap.NewNop(), Now: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = st.Close() }()
			if err := st.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			dynamic, _ := configtest.Load(b, DeclareDynamic, map[string]string{"AUDIT_UNHANDLED_SAMPLE_PERCENT": tc.sample})
			set, metrics := thousand(b), NewMetrics(prometheus.NewRegistry())
			troubles := trouble.NewBoard(zap.NewNop(), time.Now)
			r := &rig{t: b, driver: d, store: st, dynamic: dynamic, count: map[string]int{}}
			w := New(Params{Process: "bench", Store: st, Counters: st, Dynamic: dynamic, Metrics: metrics, Busiest: busiest.New(time.Now), Trouble: troubles, Now: time.Now,
				Pressure: NewPressure(r, dynamic, metrics, troubles), Rules: func() Judge { return set },
				Config: Config{BatchEvents: 2000, ClaimEntries: 128, ClaimWait: time.Second}})
			for sent := 0; sent < b.N; sent += tc.entry {
				events := benchEvents(min(tc.entry, b.N-sent))
				r.must(d.Append(b.Context(), queue.AppendParams{Entries: []queue.Entry{{ID: queue.NewEntryID(), Queue: queue.Ingest,
					Events: len(events), Body: event.EncodeEvents(events)}}}))
			}
			lease, err := d.Acquire(b.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "bench", TTL: time.Hour})
			r.must(err)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			r.must(w.Work(b.Context(), &holder{r: r, lease: lease}))
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/event")
		})
	}
}
