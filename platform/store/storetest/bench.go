package storetest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// Benchmark measures what is hot: judging, and the reads of an operator on 100,000 rows. MUTT_BENCH=full adds the books of a year.
func Benchmark(b *testing.B, h Harness) {
	for _, rows := range []int{500, 2000, 5000} {
		b.Run(fmt.Sprintf("Judge/rows=%d", rows), func(b *testing.B) { benchJudge(b, h, rows) })
	}
	b.Run("AuditLogs", func(b *testing.B) { benchAuditLogs(b, h) })
	if os.Getenv("MUTT_BENCH") == "full" {
		b.Run("Books", func(b *testing.B) { benchBooks(b, h) })
	}
	for _, adds := range []int{100, 400} {
		b.Run(fmt.Sprintf("CountUnhandled/adds=%d", adds), func(b *testing.B) { benchCount(b, h, adds) })
	}
}

// pipelineEntry is an entry as the pipeline makes it: 500 events of 500 hosts, ~200-byte messages, 20 % matched.
func pipelineEntry(from *int) store.JudgedEntry {
	const rows = 500
	var e store.JudgedEntry
	now := time.Now().UnixMicro()
	for range rows {
		*from++
		n := *from
		ev := &event.Event{
			ID: uuid.Must(uuid.NewV7()), ReceivedAt: now, Timestamp: now - 1_000_000, Source: event.SourceSyslog,
			Severity: 4, Facility: 23, Hostname: fmt.Sprintf("sw-%03d.example.net", n*7919%500), SourceIP: "192.0.2.17",
			CorrelationID: uuid.NewString(), AppName: "LINK-3-UPDOWN",
			Message: fmt.Sprintf("%%LINK-3-UPDOWN: Interface GigabitEthernet1/0/%d, changed state to down; neighbor 198.51.100.%d lost, "+
				"adjacency reset after dead timer expired, %d retries, area 0.0.0.0, vrf default, process 1", n%48, n%250, n),
		}
		d := &event.Decision{Fate: event.FateUnhandled, Severity: 3, RulesetVersion: 7}
		if n%5 == 0 {
			*d = event.Decision{Fate: event.FateForwarded, Handling: event.PageAndTicket, Severity: 3, RuleID: int64(n%1000 + 1),
				RuleName: "link down", Team: "NETO", Signature: ev.Hostname + "::link down", RulesetVersion: 7}
		}
		e.Rows = append(e.Rows, store.AuditRow{Event: ev, Decision: d})
	}
	e.Entry = uuid.Must(uuid.NewV7()) // an entry is made when its events are there
	e.Counts = []store.LedgerCount{
		{Minute: now / 60_000_000, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: rows * 4 / 5},
		{Minute: now / 60_000_000, Source: event.SourceSyslog, Fate: event.FateForwarded, N: rows / 5},
	}
	return e
}

func benchJudge(b *testing.B, h Harness, rows int) {
	s, n := h.Open(b, store.Options{Logger: zap.NewNop(), Now: time.Now}), 0
	batch := make([]store.JudgedEntry, rows/500)
	b.ReportAllocs()
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		for i := range batch {
			batch[i] = pipelineEntry(&n)
		}
		b.StartTimer()
		before := cpuTime(b)
		judge(b, s.Store, batch...)
		cpu += cpuTime(b) - before
	}
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(cpu.Nanoseconds())/1000/float64(b.N*rows), "cpu-µs/row")
}

func benchAuditLogs(b *testing.B, h Harness) {
	s, n := h.Open(b, store.Options{Logger: zap.NewNop(), Now: time.Now}), 0
	for range 200 {
		judge(b, s.Store, pipelineEntry(&n))
	}
	rule := int64(5)
	half := value[store.AuditLog](b)(middle(b, s.Store)).ID
	for name, f := range map[string]store.AuditFilter{
		"newest": {}, "hostname": {Hostname: "sw-123.example.net"}, "rule": {RuleID: &rule}, "cursor": {Before: half},
		"hour": {Start: time.Now().Add(-time.Hour)}, "text": {Query: "no such text"}, "page 100": {Offset: 5000},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				value[store.Page[store.AuditLog]](b)(s.AuditLogs(b.Context(), f))
			}
		})
	}
}

// cpuTime is what this process used of the processors; a database server is another process.
func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// middle gives a row with as many newer as older ones.
func middle(b *testing.B, s *store.Store) (store.AuditLog, error) {
	page, err := s.AuditLogs(b.Context(), store.AuditFilter{Offset: 50_000, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return store.AuditLog{}, fmt.Errorf("no row in the middle: %w", err)
	}
	return page.Items[0], nil
}

func benchCount(b *testing.B, h Harness, adds int) {
	s := h.Open(b, store.Options{Logger: zap.NewNop(), Now: time.Now})
	p := store.CountParams{Expiry: time.Hour, MaxPerHost: 1000, MaxTotal: 100_000}
	for i := range adds {
		p.Adds = append(p.Adds, store.CounterAdd{Host: fmt.Sprintf("sw-%d", i%20), Mask: fmt.Sprintf("neighbor # down, area %d", i), N: 5,
			FirstAt: time.Now(), Sample: "neighbor 198.51.100.1 down"})
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Entry = uuid.Must(uuid.NewV7())
		value[[]store.Counter](b)(s.CountUnhandled(b.Context(), p))
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*adds), "µs/add")
}
