package retain

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// begin is when a rig's clock starts.
var begin = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// rig is a Retention on real storage whose clock the test moves.
type rig struct {
	*testing.T
	retention *Retention
	store     *store.Store
	driver    queue.Driver
	dynamic   *config.Dynamic
	registry  *prometheus.Registry
	log       *observer.ObservedLogs

	mu  sync.Mutex
	now time.Time
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }

// days moves the clock to that many days after its beginning.
func (r *rig) days(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = begin.AddDate(0, 0, n)
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// embedded and distributed make the storage of the two modes.
func embedded(r *rig) {
	dir := r.TempDir()
	var err error
	r.store, err = store.Open(r.Context(), store.Options{Path: filepath.Join(dir, "mutt.db"), Now: r.clock, Connect: sqlite.Options{Synchronous: "OFF"}, Logger: zap.NewNop()})
	r.must(err)
	r.driver, err = sqliteq.Open(r.Context(), filepath.Join(dir, "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: r.clock})
	r.must(err)
}

func distributed(r *rig) {
	p := testkit.Postgres(r.T, testkit.PostgresOptions{})
	pool, err := postgres.Open(r.Context(), postgres.Config{Host: p.Host, Port: p.Port, Database: p.NewDatabase(r.T), MaxConns: 4,
		Name: "retention test", Credentials: connect.Only(p.User, p.Password)})
	r.must(err)
	r.Cleanup(pool.Close)
	r.store, err = store.Open(r.Context(), store.Options{Postgres: pool, Now: r.clock, Logger: zap.NewNop()})
	r.must(err)
	s := testkit.Redis(r.T, testkit.RedisOptions{})
	client, err := redis.Open(context.WithoutCancel(r.Context()), redis.Config{Addrs: []string{s.Addr()}, Credentials: connect.Only(s.User, s.Password)})
	r.must(err)
	r.Cleanup(client.Close)
	r.driver, err = redisq.Open(context.WithoutCancel(r.Context()), redisq.Options{Client: client,
		Config: redisq.Config{KeyPrefix: "mutt", Partitions: 2, Durability: redisq.Memory}, Now: r.clock, Logger: zap.NewNop()})
	r.must(err)
}

func newRig(t *testing.T, storage func(*rig)) *rig {
	t.Helper()
	r := &rig{T: t, now: begin, registry: prometheus.NewRegistry()}
	storage(r)
	t.Cleanup(func() {
		if err := r.driver.Close(); err != nil {
			t.Error(err)
		}
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.must(r.store.Migrate(t.Context()))
	_, err := r.store.EnsurePartitions(t.Context(), begin, 0)
	r.must(err)
	keys, dynamic := configtest.Load(t, DeclareDynamic, nil)
	r.dynamic = dynamic
	r.apply(map[string]string{"retention_batch_size": "10"})
	core, logs := observer.New(zapcore.InfoLevel)
	r.log = logs
	r.retention = New(Deps{Store: r.store, Queue: r.driver, Dynamic: keys, Log: zap.New(core), Registerer: r.registry, Now: r.clock})
	return r
}

// apply sets dynamic keys, and every other to its default.
func (r *rig) apply(values map[string]string) {
	r.Helper()
	if problems := r.dynamic.Apply(1, values); len(problems) > 0 {
		r.Fatal(problems)
	}
}

// change makes n changes of the configuration.
func (r *rig) change(n int) {
	r.Helper()
	for range n {
		_, err := r.store.Change(r.Context(), store.Actor{Name: "test"}, "", func(tx *store.Tx) error {
			return tx.SetConfig("moog_rate_limit", r.clock().Format("20060102")+string(rune('0'+tx.AuditID()%10)))
		})
		r.must(err)
	}
}

// received makes an event that was received at the clock's time.
func (r *rig) received(n int) event.Event {
	ms := r.clock().UnixMilli() + int64(n)
	var id event.ID
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6], id[8], id[15] = 0x70, 0x80, byte(n)
	return event.Event{ID: id, ReceivedAt: ms * 1000, Timestamp: ms * 1000, Source: event.SourceSyslog, Severity: 3, Facility: event.Absent,
		Hostname: "sw1", Message: "link down", CorrelationID: "c"}
}

// judge stores n audit rows of now.
func (r *rig) judge(n int) {
	r.Helper()
	e := store.JudgedEntry{Entry: queue.NewEntryID()}
	for i := range n {
		ev := r.received(i)
		e.Rows = append(e.Rows, store.AuditRow{Event: &ev, Decision: &event.Decision{Fate: event.FateUnhandled, Severity: 1}})
	}
	_, err := r.store.Judge(r.Context(), "test", []store.JudgedEntry{e})
	r.must(err)
}

// kill makes n dead letters of events that are received now.
func (r *rig) kill(q queue.Name, n int) {
	r.Helper()
	ctx := r.Context()
	lease, err := r.driver.Acquire(ctx, queue.LeaseParams{Queue: q, Owner: "test", TTL: time.Minute})
	r.must(err)
	entry := queue.Entry{ID: queue.NewEntryID(), Queue: q, Events: n, Body: []byte("x")}
	r.must(r.driver.Append(ctx, queue.AppendParams{Entries: []queue.Entry{entry}, Process: "test"}))
	_, err = r.driver.Claim(ctx, queue.ClaimParams{Lease: lease, Max: 1})
	r.must(err)
	p := queue.SettleParams{Lease: lease, Ack: []event.ID{entry.ID}, Process: "test"}
	for i := range n {
		ev := r.received(i)
		p.Dead = append(p.Dead, queue.DeadLetter{ID: ev.ID, Queue: q, Body: event.EncodeEvents([]event.Event{ev}), Hostname: "sw1", Code: "rejected"})
	}
	r.must(r.driver.Settle(ctx, p))
	r.must(r.driver.Yield(ctx, lease))
}

// left counts what is there: rows of the change audit, judged events, dead letters.
func (r *rig) left() (changes, events, letters int64) {
	r.Helper()
	c, err := r.store.Changes(r.Context(), store.ChangeFilter{})
	r.must(err)
	e, err := r.store.AuditLogs(r.Context(), store.AuditFilter{})
	r.must(err)
	for _, q := range queue.Names() {
		d, err := r.driver.Depth(r.Context(), q)
		r.must(err)
		letters += d.Dead
	}
	return c.Total, e.Total, letters
}

// expect runs retention and compares what is left.
func (r *rig) expect(changes, events, letters int64) {
	r.Helper()
	r.must(r.retention.Run(r.Context()))
	if c, e, l := r.left(); c != changes || e != events || l != letters {
		r.Fatalf("%d changes, %d events and %d dead letters are left, want %d, %d and %d", c, e, l, changes, events, letters)
	}
	if _, _, err := r.store.VerifyChain(r.Context()); err != nil {
		r.Fatal(err)
	}
}
