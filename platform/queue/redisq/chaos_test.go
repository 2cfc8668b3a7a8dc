package redisq_test

import (
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/queue/faultq"
	"github.com/muttproject/mutt/platform/queue/queuetest"
	"github.com/muttproject/mutt/platform/testkit"
)

// TestSafetyUnderFaults runs the clauses of safety through a driver that fails, loses answers and delivers twice.
func TestSafetyUnderFaults(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"})
	inner := sharing(func(t testing.TB) rueidis.Client { return connect(t, redis.Standalone, s) })
	var d *faultq.Driver
	queuetest.Safety(t, queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
		r := inner.Open(t)
		d = faultq.New(r.Driver, faultq.Random(42, 6))
		r.Driver = d
		return r
	}})
	for _, op := range []faultq.Op{faultq.Append, faultq.Acquire, faultq.Claim, faultq.Settle, faultq.Yield} {
		if d.Hits(op) == 0 {
			t.Errorf("no %s was disturbed", op)
		}
	}
}

// TestSafetyOverRedisCrashes kills Redis with -9 again and again while many holders work.
func TestSafetyOverRedisCrashes(t *testing.T) {
	t.Parallel()
	s := testkit.Redis(t, testkit.RedisOptions{AOF: "always"})
	inner := sharing(func(t testing.TB) rueidis.Client { return connect(t, redis.Standalone, s) })
	ended := make(chan struct{})
	var killer sync.WaitGroup
	crashes := 0
	t.Cleanup(func() {
		close(ended)
		killer.Wait()
		if crashes < 2 {
			t.Errorf("Redis crashed %d times only", crashes)
		}
	})
	queuetest.Safety(t, queuetest.Harness{Open: func(t testing.TB) *queuetest.Rig {
		r := inner.Open(t)
		killer.Go(func() {
			tick := time.NewTicker(25 * time.Millisecond) // a quiet machine is through in a quarter of a second
			defer tick.Stop()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					s.Kill()
					s.Start()
					crashes++
				}
			}
		})
		return r
	}})
}
