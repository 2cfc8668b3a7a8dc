package redis_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/connect/tlsconf"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
	"github.com/muttproject/mutt/platform/testkit"
)

const wrong = "not-the-password"

func TestMain(m *testing.M) {
	// A client of a Cluster that was closed while it was about to look at the topology sleeps on for up to a second, and one that found
	// nodes gone for five, before it closes their connections.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

func right(r *testkit.RedisServer) redis.Credential {
	return redis.Credential{User: r.User, Password: r.Password}
}

func offer(all ...redis.Credential) *connect.Credentials { return connect.Known(all...) }

func config(r *testkit.RedisServer) redis.Config {
	return redis.Config{Addrs: []string{r.Addr()}, Name: "mutt-test", TLS: tlsconf.Fixed(r.TLS()), Credentials: offer(right(r))}
}

func open(t *testing.T, c redis.Config) *redis.Connection {
	t.Helper()
	client, err := redis.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func ping(ctx context.Context, client rueidis.Client) error {
	return redis.Fault(client.Do(ctx, client.B().Ping().Build()).Error(), "ping")
}

// mustFail expects a fault of this code whose text has the words and not the password.
func mustFail(t *testing.T, err error, code fault.Code, words string) *fault.Error {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Code != code || !strings.Contains(f.Message, words) {
		t.Fatalf("not a fault %s with %q: %v", code, words, err)
	}
	if strings.Contains(err.Error()+f.Remedy, wrong) {
		t.Fatalf("the password is shown: %v", err)
	}
	return f
}

func TestStandalone(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	c := config(r)
	c.Database = 3
	client := open(t, c)
	if err := client.Do(t.Context(), client.B().Set().Key("a").Value("1").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if got := r.Do("-n", "3", "GET", "a"); got != "1" {
		t.Fatalf("a = %q in database 3", got)
	}
	if list := r.Do("CLIENT", "LIST"); !strings.Contains(list, "name=mutt-test") || !strings.Contains(list, "resp=3") || !strings.Contains(list, "user=mutt") {
		t.Fatalf("the connections are %s", list)
	}
	if err := client.Do(t.Context(), client.B().Get().Key("b").Build()).Error(); !rueidis.IsRedisNil(redis.Fault(err, "read")) {
		t.Fatalf("a missing key is %v", err)
	}
	err := client.Do(t.Context(), client.B().Lpush().Key("a").Element("x").Build()).Error()
	mustFail(t, redis.Fault(err, "push"), fault.Internal, "refuses the command")
}

func TestTLS(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{TLS: true})
	if err := ping(t.Context(), open(t, config(r))); err != nil {
		t.Fatal(err)
	}
	c := config(r)
	c.TLS = tlsconf.Fixed(testkit.NewAuthority(t).Client())
	_, err := redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "not trusted")
	plain := testkit.Redis(t, testkit.RedisOptions{})
	c = config(plain)
	c.TLS = tlsconf.Fixed(r.TLS())
	_, err = redis.Open(t.Context(), c)
	if f := mustFail(t, err, fault.QueueUnavailable, "did not answer in time"); !strings.Contains(f.Remedy, "REDIS_TLS_ENABLED") {
		t.Fatalf("remedy %q", f.Remedy)
	}
	c = config(r)
	c.TLS = nil
	_, err = redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "cannot be reached")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t, testkit.RedisOptions{})
	bad := redis.Credential{User: r.User, Password: secret.New(wrong)}
	c := config(r)
	var asked atomic.Int64
	c.Credentials = connect.NewCredentials(connect.Options{Source: func() []redis.Credential {
		asked.Add(1)
		return []redis.Credential{bad, {User: "nobody", Password: r.Password}, {Password: r.Password}}
	}, Refresh: connect.NoRefresh, Metrics: connect.NewMetrics(prometheus.NewRegistry()), Log: zap.NewNop()})
	client := open(t, c)
	if who, err := client.Do(t.Context(), client.B().AclWhoami().Build()).ToString(); err != nil || who != "default" {
		t.Fatalf("the third is right, an empty user is the default user: %q, %v", who, err)
	}
	before := asked.Load()
	r.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	eventually(t, func() error { return ping(t.Context(), client) })
	if asked.Load() == before {
		t.Fatal("a new connection must ask again")
	}
	c.Credentials = offer(bad, redis.Credential{User: "nobody", Password: secret.New(wrong)})
	_, err := redis.Open(t.Context(), c)
	f := mustFail(t, err, fault.QueueUnavailable, "refuses the user and password")
	if !strings.Contains(f.Remedy, "REDIS_PASS_CURRENT") || !strings.Contains(f.Remedy, "REDIS_PASS_NEXT") || strings.Contains(err.Error(), "nobody") {
		t.Fatalf("remedy %q of %v", f.Remedy, err)
	}
	c.Credentials = nil
	_, err = redis.Open(t.Context(), c)
	mustFail(t, err, fault.QueueUnavailable, "refuses the user and password")
}

// eventually is patient: a Sentinel on a busy machine does nothing for 30 s (its TILT mode).
func eventually(t *testing.T, try func() error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(90 * time.Second); ; <-tick.C {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
