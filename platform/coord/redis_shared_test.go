package coord_test

import (
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

func TestBreakerOnRedisIsOneForAllProcesses(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{})
	const timeout = 2 * time.Second // longer than a view may be old
	processes := make([]*coord.Breaker, 4)
	for i := range processes {
		processes[i] = coord.NewBreaker(coord.NewRedis(connect(t, server), "mutt:"), coord.BreakerOptions{Name: "moog",
			Settings: func() coord.BreakerSettings {
				return coord.BreakerSettings{Enabled: true, Threshold: 3, Timeout: timeout}
			}, Now: time.Now, Metrics: coord.NewBreakerMetrics(prometheus.NewRegistry())})
	}
	allow := func(b *coord.Breaker) (coord.Permit, bool) {
		p, _, ok, err := b.Allow(t.Context())
		if err != nil {
			t.Error(err)
		}
		return p, ok
	}
	done := func(p coord.Permit, success bool) {
		if err := p.Done(t.Context(), success); err != nil {
			t.Error(err)
		}
	}
	for i := range 3 {
		p, ok := allow(processes[i%2])
		if !ok {
			t.Fatal("it opened early")
		}
		done(p, false)
	}
	for _, b := range processes {
		until(t, "all see that it is open", time.Second, func() bool {
			_, ok := allow(b)
			return !ok
		})
	}
	var mu sync.Mutex
	var probes []coord.Permit
	var wg sync.WaitGroup
	end := time.Now().Add(timeout + 500*time.Millisecond)
	for _, b := range processes {
		wg.Go(func() {
			for time.Now().Before(end) {
				if p, ok := allow(b); ok {
					mu.Lock()
					probes = append(probes, p)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(probes) != 1 || !probes[0].Probe() {
		t.Fatalf("%d requests went through a half-open breaker", len(probes))
	}
	done(probes[0], true)
	for i, b := range processes {
		if p, ok := allow(b); !ok || p.Probe() {
			t.Errorf("process %d does not see at once that it is closed", i)
		}
	}
}

func TestThreeLimitersOnRedisKeepTheLimit(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{})
	const rate, period = 5, time.Second
	var mu sync.Mutex
	var at []time.Time // of the grants, in their order
	var wg sync.WaitGroup
	for range 3 {
		l := coord.NewLimiter(coord.NewRedis(connect(t, server), "mutt:"), "rate", func() coord.Limit {
			return coord.Limit{Rate: rate, Period: period, Burst: 1}
		}).Turns()
		wg.Go(func() {
			for range 7 {
				if _, err := l.Wait(t.Context(), 1); err != nil {
					t.Error(err)
				}
				mu.Lock()
				at = append(at, time.Now())
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := range at {
		if j := i + rate + 1; j < len(at) && at[j].Sub(at[i]) <= period {
			t.Fatalf("%d requests within %v", rate+2, at[j].Sub(at[i]))
		}
	}
	if took := at[len(at)-1].Sub(at[0]); took > 20*period/rate+period {
		t.Fatalf("21 requests took %v: slots were wasted", took)
	}
}

func TestRedisAwayIsSaidQuickly(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	client := connect(t, server)
	c := coord.NewRedis(client, "mutt:")
	take := coord.TakeParams{Key: "k", Rate: 1, Period: time.Hour, Burst: 1, N: 1}
	if got, err := c.Take(t.Context(), take); err != nil || !got.Granted {
		t.Fatalf("got %+v, %v", got, err)
	}
	for what, trouble := range map[string]struct{ begin, end func() }{
		"stopped": {server.Stop, server.Start}, "hanging": {server.Pause, server.Resume},
	} {
		trouble.begin()
		began := time.Now()
		got, err := c.Take(t.Context(), take)
		if !fault.Is(err, fault.QueueUnavailable) || got.Granted {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: it took %v to say so", what, took)
		}
		trouble.end()
		answers(t, client)
		if got, err := c.Take(t.Context(), take); err != nil || got.Granted {
			t.Errorf("%s, after it: %+v, %v", what, got, err)
		}
	}
	server.Do("SCRIPT", "FLUSH")
	if got, err := c.Take(t.Context(), take); err != nil || got.Granted {
		t.Errorf("after its scripts were dropped: %+v, %v", got, err)
	}
}

func TestVersionsOnRedisGrowOverLostKeys(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{})
	c := coord.NewRedis(connect(t, server), "mutt:")
	var version, token int64
	for range 3 {
		v, err := c.Put(t.Context(), coord.PutParams{Key: "k", Data: []byte("x")})
		if err != nil || v <= version {
			t.Fatalf("version %d after %d, %v", v, version, err)
		}
		l, err := c.Lease(t.Context(), coord.LeaseParams{Key: "k", Owner: "a", TTL: time.Minute})
		if err != nil || l.Token <= token {
			t.Fatalf("token %d after %d, %v", l.Token, token, err)
		}
		version, token = v, l.Token
		server.Do("FLUSHALL")
	}
}
