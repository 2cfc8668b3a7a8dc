package redis_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

// secrets plays the source: CURRENT, and NEXT when there is one.
type secrets struct {
	now     atomic.Pointer[[]redis.Credential]
	version int
}

func (s *secrets) set(passwords ...string) {
	s.version++
	var all []redis.Credential
	for i, p := range passwords {
		all = append(all, redis.Credential{User: testkit.RedisUser, Password: secret.New(p), Name: []string{"REDIS_PASS_CURRENT", "REDIS_PASS_NEXT"}[i],
			Version: fmt.Sprint("vault:", s.version)})
	}
	s.now.Store(&all)
}

func (s *secrets) credentials(within time.Duration) *connect.Credentials {
	return connect.NewCredentials(connect.Options{Server: "redis", Source: func() []redis.Credential { return *s.now.Load() }, Within: within, Refresh: connect.NoRefresh, Metrics: connect.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()})
}

// background runs something until the test ends, or stop is called.
func background(t *testing.T, run func(ctx context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { run(ctx) })
	stop = func() { cancel(); done.Wait() }
	t.Cleanup(stop)
	return stop
}

// recycle replaces connections as a process does.
func recycle(t *testing.T, c *redis.Connection) (stop func()) {
	t.Helper()
	return background(t, func(ctx context.Context) { _ = c.Recycler().Run(ctx) })
}

// load writes and waits for what does not come, and counts; nothing may fail.
func load(t *testing.T, client rueidis.Client) (stop func() int64) {
	t.Helper()
	var asked atomic.Int64
	var stops []func()
	for i := range 4 {
		stops = append(stops, background(t, func(ctx context.Context) {
			for n := 0; ctx.Err() == nil; n++ {
				if err := set(context.WithoutCancel(ctx), client, "key"+strconv.Itoa(i*1000+n%1000), "1"); err != nil {
					t.Error(err)
					return
				}
				asked.Add(1)
			}
		}))
	}
	stops = append(stops, background(t, func(ctx context.Context) {
		for ctx.Err() == nil {
			err := client.Do(context.WithoutCancel(ctx), client.B().Blpop().Key("none").Timeout(0.5).Build()).Error()
			if err != nil && !rueidis.IsRedisNil(err) {
				t.Error(redis.Fault(err, "wait"))
				return
			}
		}
	}))
	return func() int64 {
		for _, stop := range stops {
			stop()
		}
		return asked.Load()
	}
}

func converged(t *testing.T, c *connect.Credentials, label string) {
	t.Helper()
	eventually(t, func() error {
		if s := c.Status(); !s.Safe || !strings.HasSuffix(s.Reason, label) {
			return fmt.Errorf("not %s: %+v", label, s)
		}
		return nil
	})
}

func acl(servers []*testkit.RedisServer, rule string) {
	for _, r := range servers {
		r.Do("ACL", "SETUSER", testkit.RedisUser, rule)
	}
}

// refusals counts what AUTH refused.
func refusals(t *testing.T, r *testkit.RedisServer) int {
	t.Helper()
	m := regexp.MustCompile(`cmdstat_auth:.*failed_calls=(\d+)`).FindStringSubmatch(r.Do("INFO", "commandstats"))
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRotation is the procedure for Redis: a second password on every node, promoted, connections replaced, the old one removed.
func TestRotation(t *testing.T) {
	t.Parallel()
	standalone := func(t *testing.T) (redis.Config, []*testkit.RedisServer) {
		r := testkit.Redis(t, testkit.RedisOptions{})
		return config(r), []*testkit.RedisServer{r}
	}
	cluster := func(t *testing.T) (redis.Config, []*testkit.RedisServer) {
		s := testkit.RedisCluster(t, testkit.RedisOptions{})
		c := config(s.Nodes[0])
		c.Mode, c.Addrs = redis.Cluster, s.Addrs()
		return c, s.Nodes
	}
	sentinel := func(t *testing.T) (redis.Config, []*testkit.RedisServer) {
		s := testkit.RedisSentinel(t, testkit.RedisOptions{})
		c := config(s.Servers[0])
		c.Mode, c.Addrs, c.Master = redis.Sentinel, s.Addrs(), s.Master
		return c, append(s.Servers, s.Sentinels...)
	}
	for name, start := range map[string]func(*testing.T) (redis.Config, []*testkit.RedisServer){"standalone": standalone, "cluster": cluster, "sentinel": sentinel} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, servers := start(t)
			testRotation(t, c, servers)
		})
	}
}

func testRotation(t *testing.T, c redis.Config, servers []*testkit.RedisServer) {
	// The tests' own tool uses the first password as the default user, which stays.
	first := servers[0].Password.Reveal()
	for _, r := range servers {
		r.User = "default"
	}
	s := &secrets{}
	s.set(first)
	c.Credentials = s.credentials(time.Second)
	client := open(t, c)
	stopRecycling := recycle(t, client)
	stop := load(t, client)
	now := first
	for round := range 2 {
		next := fmt.Sprint("password-of-round-", round)
		s.set(now, next)
		acl(servers, ">"+next)
		s.set(next)
		if st := c.Credentials.Status(); st.Safe {
			t.Errorf("it is not safe yet: %+v", st)
		}
		converged(t, c.Credentials, fmt.Sprint("vault:", s.version))
		acl(servers, "<"+now)
		now = next
	}
	if asked := stop(); asked == 0 {
		t.Fatal("nothing was asked")
	}
	for _, r := range servers {
		if n := refusals(t, r); n > 0 && c.Mode != redis.Sentinel { // where the servers themselves log in with the first password
			t.Errorf("%d refusals where both passwords were right", n)
		}
	}
	stopRecycling()
	c.Credentials = connect.Only(testkit.RedisUser, secret.New(first))
	_, err := redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "refuses the user and password")
}

func TestBothWrong(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	right := r.Password.Reveal()
	r.User = "default"
	s := &secrets{}
	s.set(right, wrong)
	c := config(r)
	c.Credentials = s.credentials(0)
	client := open(t, c)
	acl([]*testkit.RedisServer{r}, "resetpass")
	acl([]*testkit.RedisServer{r}, ">changed")
	if err := ping(t.Context(), client); err != nil {
		t.Fatalf("open connections live on: %v", err)
	}
	r.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	end := time.Now().Add(2500 * time.Millisecond)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for time.Now().Before(end) {
				if ping(t.Context(), client) == nil {
					t.Error("it cannot work")
				}
			}
		})
	}
	all.Wait()
	if n := refusals(t, r); n < 2 || n > 4+2*3 { // the library keeps 4 connections
		t.Fatalf("%d refusals", n)
	}
	mustFail(t, ping(t.Context(), client), fault.QueueUnavailable, "refuses the user and password (REDIS_PASS_CURRENT vault:1 and REDIS_PASS_NEXT vault:1)")
	if w := c.Credentials.Warning("Redis"); !strings.HasPrefix(w, "Redis refuses REDIS_PASS_CURRENT vault:1 and REDIS_PASS_NEXT vault:1") {
		t.Fatalf("warning %q", w)
	}
	s.set("changed")
	eventually(t, func() error { return ping(t.Context(), client) })
	if w := c.Credentials.Warning("Redis"); w != "" {
		t.Fatalf("warning %q", w)
	}
}

// TestRestartedWithTheNewPasswordOnly is the rotation that an operator made without MUTT.
func TestRestartedWithTheNewPasswordOnly(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	s := &secrets{}
	s.set(r.Password.Reveal(), "new")
	c := config(r)
	c.Credentials = s.credentials(0)
	client := open(t, c)
	r.User = "default"
	acl([]*testkit.RedisServer{r}, "resetpass")
	acl([]*testkit.RedisServer{r}, ">new")
	r.Do("CONFIG", "REWRITE")
	r.Stop()
	r.Start()
	if err := ping(t.Context(), client); err != nil {
		t.Fatalf("the first call after the restart: %v", err)
	}
	if w := c.Credentials.Warning("Redis"); !strings.Contains(w, "Redis refused REDIS_PASS_CURRENT vault:1, REDIS_PASS_NEXT vault:1 is in use") {
		t.Fatalf("warning %q", w)
	}
}

func TestReplaceWhileCallsWait(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	client := open(t, config(r))
	waiting := make(chan error, 1)
	go func() {
		_, err := client.Do(t.Context(), client.B().Blpop().Key("list").Timeout(0).Build()).ToArray()
		waiting <- err
	}()
	blocked := func() error {
		if !strings.Contains(r.Do("CLIENT", "LIST"), "cmd=blpop") {
			return fmt.Errorf("nobody waits")
		}
		return nil
	}
	eventually(t, blocked)
	stop := load(t, client)
	replaced := make(chan error, 1)
	go func() { replaced <- client.Replace(t.Context()) }()
	eventually(t, func() error { // a new client beside the old one, which the waiting call keeps
		if n := strings.Count(r.Do("CLIENT", "LIST"), "cmd=blpop"); n < 1 {
			return fmt.Errorf("%d wait", n)
		}
		return ping(t.Context(), client)
	})
	r.Do("RPUSH", "list", "x")
	if err := <-waiting; err != nil {
		t.Fatalf("the waiting call was broken: %v", err)
	}
	if err := <-replaced; err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := client.Replace(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	r.Stop()
	if err := client.Replace(t.Context()); !fault.Is(err, fault.QueueUnavailable) {
		t.Fatal(err)
	}
	r.Start()
	eventually(t, func() error { return ping(t.Context(), client) })
	client.Close()
	client.Close()
	if err := ping(t.Context(), client); !fault.Is(err, fault.Closed) {
		t.Fatal(err)
	}
}
