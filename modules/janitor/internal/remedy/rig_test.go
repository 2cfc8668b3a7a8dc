package remedy

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/config"
	"github.com/muttproject/mutt/platform/config/configtest"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/postgres"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deadletter"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/testkit"
)

// answer is what a consumer makes of a replayed letter.
type answer struct {
	hold bool   // leave it in the queue
	code string // back to the dead letters with this code; empty: settled
}

// rig is a Remediation on real storage, with a consumer of both queues that the test steers.
type rig struct {
	*testing.T
	ctx      context.Context // of the rig's own work: not that of a test, which ends before the clean-up
	remedy   *Remediation
	store    *store.Store
	driver   queue.Driver
	queue    *meddled // what the remediation uses of driver
	coord    coord.Coord
	dynamic  *config.Dynamic
	registry *prometheus.Registry
	log      *observer.ObservedLogs

	mu      sync.Mutex
	follows bool
	answer  func(id event.ID) answer
	taken   []event.ID
	tries   map[event.ID]int
	most    int64 // alerts that waited at a time

	stop func()
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// embedded and distributed open the storage of the two modes.
func embedded(r *rig) { embeddedAt(r, r.TempDir()) }

func embeddedAt(r *rig, dir string) {
	var err error
	r.store, err = store.Open(r.ctx, store.Options{Path: filepath.Join(dir, "mutt.db"), Connect: sqlite.Options{Synchronous: "OFF"},
		Logger: zap.NewNop(), Now: time.Now})
	r.must(err)
	r.driver, err = sqliteq.Open(r.ctx, filepath.Join(dir, "queue.db"), sqliteq.Options{Synchronous: "OFF", Now: time.Now})
	r.must(err)
	r.coord = coord.NewLocal(time.Now)
}

func distributed(r *rig) {
	p := testkit.Postgres(r.T, testkit.PostgresOptions{})
	pool, err := postgres.Open(r.ctx, postgres.Config{Host: p.Host, Port: p.Port, Database: p.NewDatabase(r.T), MaxConns: 4,
		Name: "remediation test", Credentials: connect.Only(p.User, p.Password)})
	r.must(err)
	r.Cleanup(pool.Close)
	r.store, err = store.Open(r.ctx, store.Options{Postgres: pool, Logger: zap.NewNop(), Now: time.Now})
	r.must(err)
	s := testkit.Redis(r.T, testkit.RedisOptions{})
	client, err := redis.Open(r.ctx, redis.Config{Addrs: []string{s.Addr()}, Credentials: connect.Only(s.User, s.Password)})
	r.must(err)
	r.Cleanup(client.Close)
	r.driver, err = redisq.Open(r.ctx, redisq.Options{Client: client,
		Config: redisq.Config{KeyPrefix: "mutt", Partitions: 2, Durability: redisq.Memory}, Now: time.Now, Logger: zap.NewNop()})
	r.must(err)
	r.coord = coord.NewRedis(client, "mutt:")
}

// meddled is a queue that is slow, and where somebody else acts between the janitor's look at the dead letters and its replay.
type meddled struct {
	queue.Driver
	before func()
	slow   time.Duration // how long a page of letters takes
}

func (m *meddled) Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error) {
	time.Sleep(m.slow)
	return m.Driver.Dead(ctx, p)
}

func (m *meddled) Requeue(ctx context.Context, p queue.RequeueParams) (int, error) {
	if m.before != nil {
		m.before()
	}
	return m.Driver.Requeue(ctx, p)
}

// keys are those of remediation, and those of other modules by which it goes.
type keys struct {
	Dynamic
	warn    config.Value[int64]
	breaker config.Value[bool]
}

func declare(d config.Declarer) keys {
	return keys{DeclareDynamic(d), d.Whole(config.Whole{Name: "alerter_queue_warn_threshold", Default: 100_000, Min: 1, Max: 1e9}),
		d.Switch(config.Switch{Name: "circuit_breaker_enabled", Default: true})}
}

// newRig opens a rig; begin begins the work.
func newRig(t *testing.T, storage func(*rig), settings map[string]string) *rig {
	t.Helper()
	r := &rig{T: t, ctx: context.WithoutCancel(t.Context()), registry: prometheus.NewRegistry(), tries: map[event.ID]int{},
		answer: func(event.ID) answer { return answer{} }}
	storage(r)
	r.must(r.store.Migrate(r.ctx))
	keys, dynamic := configtest.Load(t, declare, nil)
	r.dynamic = dynamic
	r.set(settings)
	core, logs := observer.New(zapcore.InfoLevel)
	r.log = logs
	r.queue = &meddled{Driver: r.driver}
	r.remedy = New(Deps{Store: r.store, Queue: r.queue, Coord: r.coord, Dynamic: keys.Dynamic, QueueWarn: keys.warn,
		BreakerEnabled: keys.breaker, Leading: r.leading,
		Log: zap.New(core), Registerer: r.registry, Now: time.Now})
	return r
}

func (r *rig) set(settings map[string]string) {
	r.Helper()
	if problems := r.dynamic.Apply(1, settings); len(problems) > 0 {
		r.Fatal(problems)
	}
}

func (r *rig) leading() bool { return locked(r, func() bool { return !r.follows }) }

func locked[T any](r *rig, fn func() T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fn()
}

// begin begins to replay and to consume, after what bury does; end stops both and closes the storage.
func (r *rig) begin() {
	ctx, cancel := context.WithCancel(r.ctx)
	var all sync.WaitGroup
	all.Go(func() { r.remedy.Run(ctx) })
	for _, q := range queue.Names() {
		all.Go(func() { r.consume(ctx, q) })
	}
	r.stop = func() {
		cancel()
		all.Wait()
	}
}

func (r *rig) end() {
	r.stop()
	for _, c := range []func() error{r.driver.Close, r.store.Close, r.coord.Close} {
		if err := c(); err != nil {
			r.Error(err)
		}
	}
}

// consume settles what is in a queue by the rig's answers, as the forwarder and the alerter would.
func (r *rig) consume(ctx context.Context, q queue.Name) {
	lease, err := r.driver.Acquire(ctx, queue.LeaseParams{Queue: q, Owner: "consumer", TTL: 100 * time.Hour})
	if err != nil {
		r.Error(err)
		return
	}
	seen := coord.NewSuccesses(r.coord, coord.Destination)
	var held []queue.Claimed
	failing := false
	for sleep(ctx, 200*time.Millisecond) == nil {
		got, err := r.driver.Claim(ctx, queue.ClaimParams{Lease: lease, Max: 1000})
		if err != nil {
			break
		}
		all := append(held, got...)
		held = nil
		r.mu.Lock()
		if q == queue.Alert {
			r.most = max(r.most, int64(len(all)))
		}
		r.mu.Unlock()
		for _, c := range all {
			var id event.ID
			copy(id[:], c.Body)
			a := locked(r, func() answer { return r.answer(id) })
			if a.hold {
				held, failing = append(held, c), true
				continue
			}
			s := queue.SettleParams{Lease: lease, Ack: []event.ID{c.Entry}}
			if a.code != "" {
				s.Dead = []queue.DeadLetter{{ID: id, Queue: q, Body: c.Body, Code: a.code, Replays: c.Replays}}
			}
			if err := r.driver.Settle(ctx, s); err != nil {
				break
			}
			locked(r, func() int {
				r.tries[id]++
				if a.code == "" {
					r.taken = append(r.taken, id)
				}
				return 0
			})
			if a.code == "" && q == queue.Alert {
				recovery := ""
				if failing {
					recovery = queue.NewEntryID().String()
				}
				failing = false
				_ = seen.Note(ctx, recovery) // the rig stops
			}
		}
	}
}

// bury makes dead letters; their bodies are their ids.
func (r *rig) bury(q queue.Name, code string, n int) (ids []event.ID) {
	r.Helper()
	e := queue.Entry{ID: queue.NewEntryID(), Queue: q, Events: 1, Body: []byte("x")}
	r.must(r.driver.Append(r.ctx, queue.AppendParams{Entries: []queue.Entry{e}}))
	lease, err := r.driver.Acquire(r.ctx, queue.LeaseParams{Queue: q, Owner: "undertaker", TTL: time.Hour})
	r.must(err)
	_, err = r.driver.Claim(r.ctx, queue.ClaimParams{Lease: lease, Max: 1})
	r.must(err)
	s := queue.SettleParams{Lease: lease, Ack: []event.ID{e.ID}}
	for range n {
		id := queue.NewEntryID()
		ids = append(ids, id)
		s.Dead = append(s.Dead, queue.DeadLetter{ID: id, Queue: q, Body: id[:], Code: code, Reason: "test", Hostname: "sw-1"})
	}
	r.must(r.driver.Settle(r.ctx, s))
	r.must(r.driver.Yield(r.ctx, lease))
	return ids
}

// proven notes that the destination took something.
func (r *rig) proven() { r.must(coord.NewSuccesses(r.coord, coord.Destination).Note(r.ctx, "")) }

func (r *rig) depth(q queue.Name) queue.Depth {
	r.Helper()
	d, err := r.driver.Depth(r.ctx, q)
	r.must(err)
	return d
}

func (r *rig) dead(q queue.Name) []queue.DeadItem {
	r.Helper()
	items, err := r.driver.Dead(r.ctx, queue.DeadParams{Queue: q, Limit: 1000})
	r.must(err)
	return items
}

func (r *rig) takenNow() int { return locked(r, func() int { return len(r.taken) }) }

func (r *rig) triesOf(id event.ID) int { return locked(r, func() int { return r.tries[id] }) }

// want compares how many letters were taken, wait and are dead.
func (r *rig) want(when string, q queue.Name, taken int, live, dead int64) {
	r.Helper()
	if d := r.depth(q); r.takenNow() != taken || d.Live() != live || d.Dead != dead {
		r.Fatalf("%s: %d taken, %d wait, %d are dead; want %d, %d, %d\n%v", when, r.takenNow(), d.Live(), d.Dead, taken, live, dead, r.log.All())
	}
}

// plan returns the published plan for a queue.
func (r *rig) plan(q queue.Name) deadletter.QueuePlan {
	r.Helper()
	p, ok, err := deadletter.Planned(r.ctx, r.coord)
	if err != nil || !ok {
		r.Fatalf("no plan is published: %v", err)
	}
	return p[q]
}

// changes lists what the change audit has of the dead letters, oldest first.
func (r *rig) changes() (all []string) {
	r.Helper()
	page, err := r.store.Changes(r.ctx, store.ChangeFilter{TableName: store.TableDeadLetters, Limit: 200})
	r.must(err)
	for _, c := range page.Items {
		all = append([]string{fmt.Sprintf("%s %s %s %s", c.ChangedBy, c.Operation, c.RecordID, c.NewValue)}, all...)
	}
	return all
}

func (r *rig) metric(name, want string) {
	r.Helper()
	if got := testutil.ToFloat64(metricOf(r, name)); fmt.Sprint(got) != want {
		r.Errorf("%s is %v, want %s", name, got, want)
	}
}

func metricOf(r *rig, name string) prometheus.Collector {
	m := r.remedy.metrics
	switch name {
	case "success":
		return m.success
	case "poison":
		return m.poison
	case "health":
		return m.health
	default:
		return m.failed.WithLabelValues(name)
	}
}
