package coord_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muttproject/mutt/platform/coord"
)

func TestLimiterWaitKeepsTheRateAndUsesAllOfIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := coord.NewLocal(nil)
		lim := func() coord.Limit { return coord.Limit{Rate: 7, Period: time.Second, Burst: 1} }
		var mu sync.Mutex
		var at []time.Time
		var wg sync.WaitGroup
		for range 3 { // three processes
			l := coord.NewLimiter(c, "k", lim)
			wg.Go(func() {
				for range 20 {
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
			if j := i + 8; j < len(at) && at[j].Sub(at[i]) <= time.Second {
				t.Fatalf("9 tokens within a second: %v", at[i:j+1])
			}
		}
		if took := at[len(at)-1].Sub(at[0]); took > 59*time.Second/7+time.Millisecond {
			t.Fatalf("60 tokens took %v: slots were wasted", took)
		}
	})
}

func TestLimiterFollowsAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rate atomic.Int64
		rate.Store(1)
		l := coord.NewLimiter(coord.NewLocal(nil), "k", func() coord.Limit {
			return coord.Limit{Rate: rate.Load(), Period: time.Hour, Burst: 1}
		})
		if _, err := l.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if wait, ok, err := l.Take(t.Context(), 1); ok || err != nil || wait != time.Hour {
			t.Fatalf("got %v, %v, %v", wait, ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if waited, err := l.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || !waited {
			t.Fatalf("got %v, %v", waited, err)
		}
		raised := make(chan time.Time)
		go func() {
			if _, err := l.Wait(t.Context(), 1); err != nil {
				t.Error(err)
			}
			raised <- time.Now()
		}()
		synctest.Wait()
		rate.Store(1000000)
		start := time.Now()
		if took := (<-raised).Sub(start); took > time.Second {
			t.Fatalf("a raised limit was seen after %v", took)
		}
	})
}
