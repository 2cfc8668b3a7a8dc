package coord_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/deps/depstest"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/lifecycle"
	"github.com/muttproject/mutt/platform/testkit"
)

// cut is a Coord of one process that can lose the server, and forget to say so.
type cut struct {
	coord.Coord
	away atomic.Bool
}

func (c *cut) Lease(ctx context.Context, p coord.LeaseParams) (coord.Leased, error) {
	if c.away.Load() {
		return coord.Leased{}, fault.New(fault.QueueUnavailable, "away")
	}
	return c.Coord.Lease(ctx, p)
}

func (c *cut) Release(ctx context.Context, key string, token int64) error {
	if c.away.Load() {
		return fault.New(fault.QueueUnavailable, "away")
	}
	return c.Coord.Release(ctx, key, token)
}

// job is what leaders run: it notes who does, with which token.
type job struct {
	mu     sync.Mutex
	who    string
	tokens []int64
	twice  bool
}

func (j *job) run(who string) func(context.Context, int64) error {
	return func(ctx context.Context, token int64) error {
		j.set(who, token)
		<-ctx.Done()
		j.set("", 0)
		return ctx.Err()
	}
}

func (j *job) set(who string, token int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.twice = j.twice || who != "" && j.who != ""
	j.who = who
	if token != 0 {
		j.tokens = append(j.tokens, token)
	}
}

func (j *job) leader() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.who
}

func (j *job) check(t *testing.T, leads int) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.twice {
		t.Error("two led at once")
	}
	if len(j.tokens) != leads {
		t.Errorf("%d leads, want %d", len(j.tokens), leads)
	}
	for i := 1; i < len(j.tokens); i++ {
		if j.tokens[i] <= j.tokens[i-1] {
			t.Errorf("tokens %v do not grow", j.tokens)
		}
	}
}

// start launches a service and gives how to stop it; the test's end does.
func start(t *testing.T, s lifecycle.Service) (stop func()) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestLeaderIsOneAndIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := coord.NewLocal(time.Now)
		j := &job{}
		processes := map[string]*cut{"a": {Coord: shared}, "b": {Coord: shared}}
		leaders, stop := map[string]*coord.Leader{}, map[string]func(){}
		for _, who := range []string{"a", "b"} {
			leaders[who] = coord.NewLeader(coord.LeaderOptions{Coord: processes[who], Name: "janitor", Owner: who, Run: j.run(who), Log: zap.NewNop()})
			stop[who] = start(t, leaders[who])
			synctest.Wait()
		}
		<-time.After(61 * time.Second) // it renewed a second ago
		if j.leader() != "a" || !leaders["a"].Leading() || leaders["b"].Leading() {
			t.Fatalf("%q leads", j.leader())
		}
		processes["a"].away.Store(true)
		<-time.After(7 * time.Second)
		if j.leader() != "" || leaders["a"].Leading() {
			t.Fatal("it leads on though its lease may be lost")
		}
		<-time.After(5 * time.Second)
		if j.leader() != "b" {
			t.Fatal("nobody took over")
		}
		processes["a"].away.Store(false)
		<-time.After(time.Minute)
		if j.leader() != "b" {
			t.Fatal("the old leader came back")
		}
		stop["b"]()
		<-time.After(3 * time.Second)
		if j.leader() != "a" {
			t.Fatal("a leader that stops does not make room at once")
		}
		stop["a"]()
		j.check(t, 3)
	})
}

func TestLeaderSurvivesAShortOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := &cut{Coord: coord.NewLocal(time.Now)}, &job{}
		start(t, coord.NewLeader(coord.LeaderOptions{Coord: c, Name: "janitor", Owner: "a", Run: j.run("a"), Log: zap.NewNop()}))
		<-time.After(time.Second)
		for range 10 {
			c.away.Store(true)
			<-time.After(4 * time.Second)
			c.away.Store(false)
			<-time.After(4 * time.Second)
		}
		j.check(t, 1)
	})
}

func TestLeaderRunsAFailedJobAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		l := coord.NewLeader(coord.LeaderOptions{Coord: coord.NewLocal(time.Now), Name: "janitor", Owner: "a", Log: zap.NewNop(), TTL: 4 * time.Second,
			Run: func(context.Context, int64) error { runs.Add(1); return errors.New("broken") }})
		start(t, l)
		<-time.After(10500 * time.Millisecond)
		if n := runs.Load(); n < 5 || n > 11 {
			t.Fatalf("%d runs in 10 s", n)
		}
		if l.Leading() {
			t.Fatal("between two runs nobody leads")
		}
	})
}

func TestLeaderWithoutAJobOnlyTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := coord.NewLeader(coord.LeaderOptions{Coord: coord.NewLocal(time.Now), Name: "janitor", Owner: "a", Log: zap.NewNop(), Run: coord.OnlyLead})
		stop := start(t, l)
		<-time.After(time.Minute)
		if !l.Leading() {
			t.Fatal("it does not lead")
		}
		stop()
		if l.Leading() {
			t.Fatal("it leads after its stop")
		}
	})
}

// until waits for a condition in real time.
func until(t *testing.T, what string, within time.Duration, ok func() bool) {
	t.Helper()
	deadline := time.After(within)
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", within, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestLeaderOnRedisThatLosesItsLastWrites cuts the leader's lease from the append-only file, as a power cut may.
func TestLeaderOnRedisThatLosesItsLastWrites(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	j := &job{}
	lead := func(who string) func() {
		return start(t, coord.NewLeader(coord.LeaderOptions{Coord: coord.NewRedis(connect(t, server), "mutt:"), Name: "janitor", Owner: who,
			Run: j.run(who), TTL: 2 * time.Second, Log: zap.NewNop()}))
	}
	before := server.AOFSize()
	stop := lead("a")
	until(t, "a leads", 10*time.Second, func() bool { return j.leader() == "a" })
	server.Kill()
	server.CutAOF(server.AOFSize() - before)
	until(t, "a gives up", 10*time.Second, func() bool { return j.leader() == "" })
	server.Start()
	lead("b")
	until(t, "one of them leads", 10*time.Second, func() bool { return j.leader() != "" })
	stop()
	until(t, "b leads", 10*time.Second, func() bool { return j.leader() == "b" })
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := 1; i < len(j.tokens); i++ {
		if j.tokens[i] <= j.tokens[i-1] {
			t.Errorf("tokens %v do not grow over a loss", j.tokens)
		}
	}
}

func TestDependenciesAreRequired(t *testing.T) {
	t.Parallel()
	c := coord.NewLocal(time.Now)
	depstest.Refuses(t, coord.LeaderOptions{Coord: c, Run: coord.OnlyLead, Log: zap.NewNop()},
		func(o coord.LeaderOptions) error { coord.NewLeader(o); return nil })
	depstest.Refuses(t, coord.BreakerOptions{Settings: func() coord.BreakerSettings { return coord.BreakerSettings{} }, Now: time.Now,
		Metrics: coord.NewBreakerMetrics(prometheus.NewRegistry())}, func(o coord.BreakerOptions) error { coord.NewBreaker(c, o); return nil })
}
