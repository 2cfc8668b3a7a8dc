package worker

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/modules/alert/internal/busiest"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/trouble"
)

// fataler is what *testing.T, *testing.B and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig is a worker on a real queue and a real store, both on SQLite, with a place to let calls fail.
type rig struct {
	t        fataler
	driver   *sqliteq.Driver
	store    *store.Store
	dynamic  Dynamic
	reg      *prometheus.Registry
	logs     *observer.ObservedLogs
	worker   *Worker
	troubles *trouble.Board

	mu    sync.Mutex
	rules Judge
	calls []string                                // every call to queue and store, in order
	fail  func(op string, done bool, n int) error // decides before (done false) and after each call; n counts calls of op
	count map[string]int
	ids   uint64
	sent  []event.Event
}

func newRig(t fataler, ctx context.Context, dir string, env map[string]string) *rig {
	t.Helper()
	r := &rig{t: t, count: map[string]int{}, reg: prometheus.NewRegistry()}
	driver, err := sqliteq.Open(ctx, filepath.Join(dir, "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: time.Now})
	r.must(err)
	st, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "mutt.db"), Connect: sqlite.Options{Synchronous: "OFF"}, Logger: zap.NewNop(), Now: time.Now})
	r.must(err)
	r.must(st.Migrate(ctx))
	r.dynamic, _ = configtest.Load(t, DeclareDynamic, env)
	r.driver, r.store = driver, st
	r.use(ruleset(t, 1))
	core, logs := observer.New(zapcore.InfoLevel)
	r.logs = logs
	metrics := NewMetrics(r.reg)
	r.troubles = trouble.NewBoard(zap.New(core), time.Now)
	flaky := &flakyStore{r: r}
	r.worker = New(Params{
		Process: "run-1", Store: flaky, Counters: flaky, Dynamic: r.dynamic, Metrics: metrics, Busiest: busiest.New(time.Now), Trouble: r.troubles, Now: time.Now,
		Pressure: NewPressure(r, r.dynamic, metrics, r.troubles),
		Rules: func() Judge {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.rules
		},
		Config: Config{BatchEvents: 40, ClaimEntries: 8, ClaimWait: time.Millisecond},
	})
	return r
}

func (r *rig) close() {
	r.must(r.driver.Close())
	r.must(r.store.Close())
}

func (r *rig) must(err error) {
	if err != nil {
		r.t.Helper()
		r.t.Fatalf("%v", err)
	}
}

func (r *rig) use(j Judge) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = j
}

// around runs a call between the two looks at r.fail.
func (r *rig) around(op string, call func() error) error {
	r.mu.Lock()
	r.count[op]++
	n, fail := r.count[op], r.fail
	r.calls = append(r.calls, op)
	r.mu.Unlock()
	if fail != nil {
		if err := fail(op, false, n); err != nil {
			return err
		}
	}
	if err := call(); err != nil {
		return err
	}
	if fail != nil {
		return fail(op, true, n)
	}
	return nil
}

func (r *rig) called(op string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[op]
}

// Depth makes the rig the Depths of its Pressure.
func (r *rig) Depth(ctx context.Context, q queue.Name) (queue.Depth, error) {
	return r.driver.Depth(ctx, q)
}

// flakyStore is the real store behind r.fail.
type flakyStore struct{ r *rig }

func (f *flakyStore) Judge(ctx context.Context, process string, entries []store.JudgedEntry) (known []event.ID, err error) {
	err = f.r.around("judge", func() (err error) { known, err = f.r.store.Judge(ctx, process, entries); return err })
	return known, err
}

func (f *flakyStore) Decisions(ctx context.Context, ids []event.ID) (d map[event.ID]event.Decision, err error) {
	err = f.r.around("decisions", func() (err error) { d, err = f.r.store.Decisions(ctx, ids); return err })
	return d, err
}

func (f *flakyStore) Split(ctx context.Context, entry event.ID) (judged bool, err error) {
	err = f.r.around("split", func() (err error) { judged, err = f.r.store.Split(ctx, entry); return err })
	return judged, err
}

func (f *flakyStore) CountUnhandledBatch(ctx context.Context, p []store.CountParams) (c [][]store.Counter, err error) {
	err = f.r.around("count", func() (err error) { c, err = f.r.store.CountUnhandledBatch(ctx, p); return err })
	return c, err
}

func (f *flakyStore) MarkUnhandled(ctx context.Context, c ...store.Counter) error {
	return f.r.around("mark", func() error { return f.r.store.MarkUnhandled(ctx, c...) })
}

// holder is a lease on the real driver behind r.fail. It says that the lease is lost when the queue is drained.
type holder struct {
	r     *rig
	lease queue.Lease
}

func (h *holder) Partition() int { return h.lease.Partition }

func (h *holder) Claim(ctx context.Context, most int, wait time.Duration) (got []queue.Claimed, err error) {
	if d, err := h.r.driver.Depth(ctx, queue.Ingest); err == nil && d.Live() == 0 {
		return nil, fault.New(fault.LeaseLost, "drained")
	}
	err = h.r.around("claim", func() (err error) {
		got, err = h.r.driver.Claim(ctx, queue.ClaimParams{Lease: h.lease, Max: most, Wait: wait})
		return err
	})
	return got, err
}

func (h *holder) Settle(ctx context.Context, s queue.Settlement) error {
	return h.r.around("settle", func() error {
		return h.r.driver.Settle(ctx, queue.SettleParams{Lease: h.lease, Ack: s.Ack, Progress: s.Progress, Publish: s.Publish,
			Dead: s.Dead, Process: "run-1", Counts: s.Counts})
	})
}

func (h *holder) Release(ctx context.Context, g queue.Giveback) error {
	return h.r.around("release", func() error {
		return h.r.driver.Release(ctx, queue.ReleaseParams{Lease: h.lease, Entries: g.Entries, Delay: g.Delay, Reason: g.Reason})
	})
}

// drain works, under one lease after the other, until the ingest queue is empty or ctx ends.
func (r *rig) drain(ctx context.Context) {
	for turn := 0; ctx.Err() == nil; turn++ {
		lease, err := r.driver.Acquire(ctx, queue.LeaseParams{Queue: queue.Ingest, Owner: "test", TTL: time.Hour})
		r.must(err)
		r.must(r.worker.Work(ctx, &holder{r: r, lease: lease}))
		r.must(r.driver.Yield(context.WithoutCancel(ctx), lease))
		if d, err := r.driver.Depth(ctx, queue.Ingest); err == nil && d.Live() == 0 {
			return
		}
		if turn > 500 {
			r.t.Fatalf("no end after %d leases; last calls %v", turn, r.calls[max(0, len(r.calls)-20):])
		}
	}
}

// background drains until stop is called, which waits for the end. It is for tests in a bubble: claims wait for long.
func (r *rig) background(ctx context.Context) (stop func()) {
	r.worker.p.Config.ClaimWait = time.Minute
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.drain(ctx) })
	wg.Go(func() { r.troubles.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// ev makes an event; its id and its place in r.sent follow the order of making.
func (r *rig) ev(host, message string) event.Event {
	r.ids++
	now := time.Now().UnixMicro()
	var id event.ID
	copy(id[:], fmt.Sprintf("%016d", r.ids))
	id[6], id[8] = 0x70|id[6]&0xf, 0x80|id[8]&0x3f
	return event.Event{ID: id, ReceivedAt: now, Timestamp: now, Source: event.SourceHTTP, Severity: 3, Facility: event.Absent,
		Hostname: host, Message: message, CorrelationID: fmt.Sprint("c", r.ids)}
}

// send appends one entry.
func (r *rig) send(ctx context.Context, events ...event.Event) event.ID {
	id := queue.NewEntryID()
	r.must(r.driver.Append(ctx, queue.AppendParams{Entries: []queue.Entry{{ID: id, Queue: queue.Ingest, Events: len(events),
		Body: event.EncodeEvents(events)}}}))
	r.sent = append(r.sent, events...)
	return id
}

// published reads the alert queue in order, and its dead letters.
func (r *rig) published(ctx context.Context) (alerts []event.Alert) {
	lease, err := r.driver.Acquire(ctx, queue.LeaseParams{Queue: queue.Alert, Owner: "reader", TTL: time.Hour})
	r.must(err)
	for {
		got, err := r.driver.Claim(ctx, queue.ClaimParams{Lease: lease, Max: 100})
		r.must(err)
		for i := range got {
			before := len(alerts)
			alerts, err = event.DecodeAlerts(alerts, got[i].Body)
			r.must(err)
			if n := len(alerts) - before; n != got[i].Events || n > queue.TargetEvents {
				r.t.Fatalf("an alert entry says %d alerts and holds %d", got[i].Events, n)
			}
		}
		if len(got) == 0 {
			r.must(r.driver.Yield(ctx, lease))
			return alerts
		}
	}
}

func (r *rig) dead(ctx context.Context, q queue.Name) []queue.DeadItem {
	items, err := r.driver.Dead(ctx, queue.DeadParams{Queue: q, Limit: 10_000})
	r.must(err)
	return items
}

// decisions gives the stored rows of what was sent.
func (r *rig) decisions(ctx context.Context) map[event.ID]event.Decision {
	ids := make([]event.ID, len(r.sent))
	for i := range r.sent {
		ids[i] = r.sent[i].ID
	}
	d, err := r.store.Decisions(ctx, ids)
	r.must(err)
	return d
}

func (r *rig) fates(ctx context.Context) map[event.Fate]int64 {
	b, err := r.store.Books(ctx)
	r.must(err)
	return b.Fates
}

// counted gives the queue's counter of a kind, summed over its labels.
func (r *rig) counted(ctx context.Context, kind string) (n int64) {
	counters, err := r.driver.Counters(ctx, 0)
	r.must(err)
	for _, c := range counters {
		if c.Kind == kind {
			n += c.N
		}
	}
	return n
}

// ruleset is a compiled set: "down" pages, "up" is ignored, "note" is recorded; nothing else matches.
func ruleset(t fataler, version int64) *rule.Set {
	t.Helper()
	rules := []rule.Rule{
		{ID: 1, Name: "down", MatchString: "down", Priority: 10, ProdHandling: "Page_only", DevHandling: "Log_only", TeamAssignment: "NET", IsActive: true},
		{ID: 2, Name: "up", MatchString: "up", Priority: 20, ProdHandling: "Ignore", DevHandling: "Ignore", TeamAssignment: "NET", IsActive: true},
		{ID: 3, Name: "note", MatchString: "note", Priority: 30, ProdHandling: "Log_only", DevHandling: "Log_only", TeamAssignment: "NET", IsActive: true},
	}
	set, err := rule.Compile(rules, rule.Tables{Version: version, Teams: map[string]string{"owned": "OWNERS"}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return set
}

// reversed is a set that judges each word differently from ruleset.
func reversed(t fataler, version int64) *rule.Set {
	t.Helper()
	rules := []rule.Rule{
		{ID: 4, Name: "down is noted", MatchString: "down", Priority: 10, ProdHandling: "Log_only", DevHandling: "Log_only", TeamAssignment: "X", IsActive: true},
		{ID: 5, Name: "else pages", MatchString: "else", Priority: 20, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "X", IsActive: true},
	}
	set, err := rule.Compile(rules, rule.Tables{Version: version})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return set
}

// touchy panics on messages with "poison", and else judges as the set does.
type touchy struct{ *rule.Set }

func (j touchy) Judge(e *event.Event, now int64, sc *rule.Scratch, d *event.Decision) {
	if strings.Contains(e.Message, "poison") {
		panic("cannot judge " + e.Message)
	}
	j.Set.Judge(e, now, sc, d)
}

// metric gives the value of a counter or gauge, summed over its labels.
func (r *rig) metric(name string) (sum float64) {
	families, err := r.reg.Gather()
	r.must(err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// refusing is a store that does not take the rows of some events.
type refusing struct {
	flakyStore
	bad  map[event.ID]bool
	code fault.Code
}

func (f *refusing) Judge(ctx context.Context, process string, entries []store.JudgedEntry) ([]event.ID, error) {
	for i := range entries {
		for j := range entries[i].Rows {
			if f.bad[entries[i].Rows[j].Event.ID] {
				return nil, fault.New(f.code, "a constraint failed")
			}
		}
	}
	return f.flakyStore.Judge(ctx, process, entries)
}
