package bench

import (
	"cmp"
	"context"
	byteorder "encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// The indexes of docs/adr/0011-audit-indexes.md, as sets to compare. The migrations' own is "chosen".
const (
	primary  = `ALTER TABLE event_audit ADD PRIMARY KEY (id)`
	btreeID  = `CREATE INDEX event_audit_id ON event_audit (id)`
	brinID   = `CREATE INDEX event_audit_id ON event_audit USING brin (id) WITH (pages_per_range = 32, autosummarize = on)`
	hostname = `CREATE INDEX event_audit_hostname ON event_audit (hostname, id)`
	rule     = `CREATE INDEX event_audit_rule ON event_audit (matched_rule_id, id) WHERE matched_rule_id IS NOT NULL`
	request  = `CREATE INDEX event_audit_correlation ON event_audit (correlation_id)`
)

type indexSet struct {
	name    string
	indexes []string
}

func indexSets() []indexSet {
	return []indexSet{
		{"none", nil}, {"brin", []string{brinID}}, {"btree", []string{btreeID}}, {"primary", []string{primary}}, {"primary+hostname", []string{primary, hostname}},
		{"brin+hostname+rule", []string{brinID, hostname, rule}}, {"btree+hostname+rule", []string{btreeID, hostname, rule}},
		{"chosen", []string{primary, hostname, rule}}, {"chosen+correlation", []string{primary, hostname, rule, request}},
	}
}

// BenchmarkAuditIndexesWrite: what each set of indexes costs PostgreSQL for each row, by the store's own writes of
// 2,000 rows a transaction. Compare within one run; -count repeats the whole round.
func BenchmarkAuditIndexesWrite(b *testing.B) {
	for _, set := range indexSets() {
		b.Run(set.name, func(b *testing.B) {
			for b.Loop() {
				a := newAudit(b, set, size(500_000, 4_000))
				cpu, begin := familyCPU(b, a.pid), time.Now()
				a.load()
				elapsed := time.Since(begin)
				rows := float64(a.rows)
				b.ReportMetric(rows/elapsed.Seconds(), "rows/s")
				b.ReportMetric((familyCPU(b, a.pid)-cpu)/rows*1e6, "pg-cpu-µs/row")
				b.ReportMetric(float64(a.number(`SELECT sum(pg_table_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'event_audit'::regclass`))/rows, "table-B/row")
				b.ReportMetric(float64(a.number(`SELECT sum(pg_indexes_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'event_audit'::regclass`))/rows, "index-B/row")
			}
		})
	}
}

// BenchmarkAuditIndexesRead: the API's filters on a warm table. MUTT_BENCH_AUDIT_ROWS=10000000 gives the ADR's figures.
func BenchmarkAuditIndexesRead(b *testing.B) {
	rows := size(1_000_000, 200_000)
	if n, err := strconv.Atoi(os.Getenv("MUTT_BENCH_AUDIT_ROWS")); err == nil {
		rows = n
	}
	sets := indexSets()
	if sets = sets[len(sets)-2:]; !full() {
		sets = sets[:1] // the chosen one
	}
	for _, set := range sets {
		b.Run(set.name, func(b *testing.B) {
			a := newAudit(b, set, rows)
			a.load()
			a.exec(`VACUUM ANALYZE event_audit`)
			for _, q := range a.reads() {
				b.Run(q.name, func(b *testing.B) {
					for b.Loop() {
						a.measure(b, size(200, 3), q.run)
					}
				})
			}
			a.checkPlans()
		})
	}
}

const auditDays = 10 // over which the rows are spread

// audit is a store on PostgreSQL with a set of indexes.
type audit struct {
	b        *testing.B
	server   *testkit.PostgresServer
	database string
	store    *store.Store
	exec     func(statement string)
	// number gives the one number that a query answers with.
	number func(query string) int64
	pid    int
	rows   int
	begin  time.Time
	random *rand.Rand
	sample []event.ID // of rows
	corr   []string
}

func newAudit(b *testing.B, set indexSet, rows int) *audit {
	b.Helper()
	server := testkit.Postgres(b, testkit.PostgresOptions{Fsync: true, Settings: []string{"shared_buffers=1GB", "max_wal_size=8GB"}})
	a := &audit{b: b, server: server, database: server.NewDatabase(b), pid: server.PID(), rows: rows, begin: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(1, 2))}
	pool, err := postgres.Open(b.Context(), a.config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	a.exec = func(statement string) {
		if _, err := pool.Exec(context.Background(), statement); err != nil {
			b.Fatal(err)
		}
	}
	a.number = func(query string) (n int64) {
		if err := pool.QueryRow(context.Background(), query).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
	a.store = a.open()
	if err := a.store.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	a.exec(`ALTER TABLE event_audit DROP CONSTRAINT event_audit_pkey`)
	a.exec(`DROP INDEX event_audit_hostname, event_audit_rule`)
	for _, text := range set.indexes {
		a.exec(text)
	}
	if _, err := a.store.EnsurePartitions(b.Context(), a.begin, auditDays+store.PartitionsAhead); err != nil {
		b.Fatal(err)
	}
	return a
}

// load writes the rows from two clients, 4 entries of 500 events at a time.
func (a *audit) load() {
	const inEntry, entries = 500, 4
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for {
				first := int(next.Add(entries*inEntry)) - entries*inEntry
				if first >= a.rows {
					return
				}
				batch := make([]store.JudgedEntry, entries)
				for i := range batch {
					batch[i] = a.entry(first+i*inEntry, inEntry)
				}
				if _, err := a.store.Judge(a.b.Context(), "bench", batch); err != nil {
					a.b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
	if a.b.Failed() {
		a.b.FailNow()
	}
	every := max(a.rows/inEntry/100, 1) * inEntry
	for n := 0; n < a.rows; n += every {
		r := a.row(n)
		a.sample, a.corr = append(a.sample, r.Event.ID), append(a.corr, r.Event.CorrelationID)
	}
}

func (a *audit) entry(first, n int) store.JudgedEntry {
	e := store.JudgedEntry{Entry: uuid.Must(uuid.NewV7())}
	for i := range n {
		e.Rows = append(e.Rows, a.row(first+i))
	}
	e.Counts = []store.LedgerCount{{Minute: a.at(first).Unix() / 60, Source: event.SourceSyslog, Fate: event.FateUnhandled, N: int64(n)}}
	return e
}

// at is when row n was received.
func (a *audit) at(n int) time.Time {
	return a.begin.Add(time.Duration(float64(n) / float64(a.rows) * float64(auditDays*24*time.Hour)))
}

const auditHosts, auditRules = 5000, 1000

// skewed picks one of n: the first hundredth has a fifth of the events.
func skewed(x float64, n int) int { return int(x * x * x * float64(n)) }

func hostName(i int) string { return fmt.Sprintf("edge-fra-%04d.pop%02d.example.net", i, i%40) }

// row makes row n, always the same: ~540 bytes in the table, a fifth matched, ten events of a request.
func (a *audit) row(n int) store.AuditRow {
	at, r := a.at(n), rand.New(rand.NewPCG(uint64(n), 3))
	ev := &event.Event{
		ID: idAt(at, r), ReceivedAt: at.UnixMicro(), Timestamp: at.UnixMicro() - 1_500_000, Source: event.SourceSyslog, Severity: 3, Facility: 23,
		Hostname: hostName(skewed(r.Float64(), auditHosts)), SourceIP: "192.0.2.17", AppName: "LINK-3-UPDOWN",
		CorrelationID: idAt(at, rand.New(rand.NewPCG(uint64(n/10), 4))).String(),
		Message: fmt.Sprintf("%%LINK-3-UPDOWN: Interface TenGigE0/%d/0/%d, changed state to down; neighbor 203.0.113.%d lost after %d ms",
			r.IntN(8), r.IntN(48), r.IntN(255), r.IntN(100_000)),
	}
	d := &event.Decision{Fate: event.FateUnhandled, Severity: 3, RulesetVersion: 7}
	if r.IntN(5) == 0 {
		id := skewed(r.Float64(), auditRules) + 1
		*d = event.Decision{Fate: event.FateForwarded, Handling: event.PageAndTicket, Severity: 3, RuleID: int64(id),
			RuleName: "interface changed state " + strconv.Itoa(id), Team: team(id), Signature: fmt.Sprintf("%016x", r.Uint64()), RulesetVersion: 7}
	}
	return store.AuditRow{Event: ev, Decision: d}
}

func team(n int) string { return fmt.Sprintf("TEAM%02d", n%12) }

// idAt gives a UUIDv7 of a time.
func idAt(at time.Time, r *rand.Rand) (id event.ID) {
	byteorder.BigEndian.PutUint64(id[8:], r.Uint64())
	byteorder.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000|r.Uint64()&0xfff)
	id[8] = id[8]&0x3f | 0x80
	return id
}

// auditRead is one kind of query.
type auditRead struct {
	name string
	run  func() error
}

func (a *audit) reads() []auditRead {
	ctx := a.b.Context()
	list := func(f func() store.AuditFilter) func() error {
		return func() error {
			_, err := a.store.AuditLogs(ctx, f())
			return err
		}
	}
	histogram := func(step time.Duration, f func() store.AuditFilter) func() error {
		return func() error {
			_, err := a.store.Histogram(ctx, f(), step)
			return err
		}
	}
	hour := func(f store.AuditFilter) store.AuditFilter {
		f.End = a.at(a.random.IntN(a.rows))
		f.Start = f.End.Add(-time.Hour)
		return f
	}
	before := func(f store.AuditFilter) store.AuditFilter {
		f.Before = idAt(a.at(a.random.IntN(a.rows)), a.random)
		return f
	}
	host := func() string { return hostName(skewed(a.random.Float64(), auditHosts)) }
	ruleID := func() *int64 { id := int64(skewed(a.random.Float64(), auditRules) + 1); return &id }
	some := func() int { return a.random.IntN(len(a.sample)) }
	return []auditRead{
		{"first page", list(func() store.AuditFilter { return store.AuditFilter{} })},
		{"cursor", list(func() store.AuditFilter { return before(store.AuditFilter{}) })},
		{"offset 9950", list(func() store.AuditFilter { return store.AuditFilter{Offset: 9950} })},
		{"an hour", list(func() store.AuditFilter { return hour(store.AuditFilter{}) })},
		{"hostname", list(func() store.AuditFilter { return store.AuditFilter{Hostname: host()} })},
		{"hostname, cursor", list(func() store.AuditFilter { return before(store.AuditFilter{Hostname: host()}) })},
		{"hostname, an hour", list(func() store.AuditFilter { return hour(store.AuditFilter{Hostname: host()}) })},
		{"rule", list(func() store.AuditFilter { return store.AuditFilter{RuleID: ruleID()} })},
		{"rule and hostname", list(func() store.AuditFilter { return store.AuditFilter{RuleID: ruleID(), Hostname: host()} })},
		{"team", list(func() store.AuditFilter { return store.AuditFilter{Team: team(a.random.IntN(12))} })},
		{"handling", list(func() store.AuditFilter { return store.AuditFilter{Handling: event.PageAndTicket} })},
		{"fate", list(func() store.AuditFilter { return store.AuditFilter{Fate: event.FateUnhandled} })},
		{"text", list(func() store.AuditFilter { return store.AuditFilter{Query: "no such text"} })},
		{"correlation id", list(func() store.AuditFilter { return store.AuditFilter{CorrelationID: a.corr[some()]} })},
		{"correlation id, an hour", list(func() store.AuditFilter { return hour(store.AuditFilter{CorrelationID: a.corr[some()]}) })},
		{"histogram, an hour", histogram(time.Hour, func() store.AuditFilter { return hour(store.AuditFilter{}) })},
		{"histogram of a host", histogram(24*time.Hour, func() store.AuditFilter { return store.AuditFilter{Hostname: host(), Start: a.at(0)} })},
		{"histogram of all days", histogram(24*time.Hour, func() store.AuditFilter { return store.AuditFilter{Start: a.at(0)} })},
		{"by id", func() error { _, err := a.store.AuditByID(ctx, a.sample[some()]); return err }},
		{"decisions of an entry", func() error {
			first := a.random.IntN(a.rows/500) * 500
			ids := make([]event.ID, 500)
			for i := range ids {
				ids[i] = a.row(first + i).Event.ID
			}
			_, err := a.store.Decisions(ctx, ids)
			return err
		}},
	}
}

// measure runs a query often and reports what half and what 99 of 100 take at most, and of CPU.
func (a *audit) measure(b *testing.B, n int, run func() error) {
	took, cpu := make([]time.Duration, n), make([]time.Duration, n)
	for i := range took {
		used, begin := a.cpuTime(), time.Now()
		if err := run(); err != nil {
			b.Fatal(err)
		}
		took[i], cpu[i] = time.Since(begin), a.cpuTime()-used
	}
	for name, list := range map[string][]time.Duration{"": took, "cpu-": cpu} {
		slices.SortFunc(list, cmp.Compare)
		b.ReportMetric(float64(list[n/2].Microseconds())/1000, name+"p50-ms")
		b.ReportMetric(float64(list[min(n*99/100, n-1)].Microseconds())/1000, name+"p99-ms")
	}
}
