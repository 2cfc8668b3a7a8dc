package redisq_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/config/static"
	login "github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/queuetest"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestMain(m *testing.M) {
	// A Cluster client closes connections that it does not need any more five seconds later, also after its Close.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

// clock moves the time of a rig ahead of the real one: for leases and all else together, or the latter alone.
type clock struct {
	mu          sync.Mutex
	lease, wall time.Duration
}

func (c *clock) shift() (lease, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lease, c.wall
}

func (c *clock) now() time.Time {
	_, wall := c.shift()
	return time.Now().Add(wall)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lease += d
	c.wall += d
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += d
}

// partitions is what the suite needs.
const partitions = 2

// connect opens a client that ends with the test or by hand.
func connect(t testing.TB, mode redis.Mode, s *testkit.RedisServer, addrs ...string) rueidis.Client {
	t.Helper()
	if len(addrs) == 0 {
		addrs = []string{s.Addr()}
	}
	client, err := redis.Open(context.WithoutCancel(t.Context()), redis.Config{Mode: mode, Addrs: addrs,
		Credentials: login.Only(s.User, s.Password)})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// config is the one of a Redis as the tests run it.
func config(prefix string, partitions int) redisq.Config {
	return redisq.Config{KeyPrefix: prefix, Partitions: partitions, Durability: redisq.Everysec, Reserve: static.Auto}
}

func open(t testing.TB, o redisq.Options) *redisq.Driver {
	t.Helper()
	d, err := redisq.Open(context.WithoutCancel(t.Context()), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// storage is the keys of one rig. Each opening has connections of its own, like a process.
type storage struct {
	t      testing.TB
	clock  clock
	prefix string
	dial   func(testing.TB) rueidis.Client
	crash  func() // of Redis, nil for none
	full   atomic.Bool
	driver *redisq.Driver // opened last
	ends   []func()
}

func (s *storage) open() queue.Driver {
	client := s.dial(s.t)
	d := open(s.t, redisq.Options{Client: client, Config: config(s.prefix, partitions), Now: s.clock.now, Shift: s.clock.shift, Memory: s.memory, Logger: zap.NewNop()})
	s.driver = d
	s.ends = append(s.ends, func() {
		_ = d.Close()
		client.Close()
	})
	return d
}

// memory is that of a Redis which is full or not.
func (s *storage) memory(context.Context, int) (used, limit int64, err error) {
	if s.full.Load() {
		return 1 << 30, 1 << 30, nil
	}
	return 0, 1 << 30, nil
}

func (s *storage) fill(full bool) {
	s.full.Store(full)
	s.driver.LookAtMemory()
}

// end closes all that was opened.
func (s *storage) end() {
	for _, end := range s.ends {
		end()
	}
	s.ends = nil
}

// again ends a process, and Redis with it when the rig is so.
func (s *storage) again() queue.Driver {
	if s.crash != nil {
		s.crash()
	}
	return s.open()
}

func (s *storage) rig(end func()) *queuetest.Rig {
	closeAll := sync.OnceFunc(func() {
		s.end()
		if end != nil {
			end()
		}
	})
	s.t.Cleanup(closeAll)
	return &queuetest.Rig{Driver: s.open(), Crash: s.again, Advance: s.clock.advance, StepWall: s.clock.step, Fill: s.fill, Close: closeAll, Unit: time.Minute,
		Restart: func() queue.Driver {
			s.end()
			return s.again()
		}}
}

// sharing makes rigs on one Redis, each with a prefix of its own. Redis lives on when a rig restarts.
func sharing(dial func(testing.TB) rueidis.Client) queuetest.Harness {
	var mu sync.Mutex
	n := 0
	return queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
		mu.Lock()
		defer mu.Unlock()
		n++
		return (&storage{t: t, prefix: "rig" + strconv.Itoa(n), dial: dial}).rig(nil)
	}}
}

// crashing makes rigs that have a Redis each, whose crash and restart kill it with -9.
func crashing(t testing.TB) queuetest.Harness {
	var mu sync.Mutex
	var idle []*testkit.RedisServer
	take := func() *testkit.RedisServer {
		mu.Lock()
		defer mu.Unlock()
		if len(idle) == 0 {
			return testkit.Redis(t, testkit.RedisOptions{AOF: "always"})
		}
		s := idle[len(idle)-1]
		idle = idle[:len(idle)-1]
		return s
	}
	return queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
		server := take()
		s := &storage{t: t, prefix: "mutt", dial: func(t testing.TB) rueidis.Client { return connect(t, redis.Standalone, server) }, crash: func() {
			server.Kill()
			server.Start()
		}}
		return s.rig(func() {
			server.Do("FLUSHALL")
			mu.Lock()
			defer mu.Unlock()
			idle = append(idle, server)
		})
	}}
}
