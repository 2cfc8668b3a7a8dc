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
		c := coord.NewLocal(time.Now)
		lim := func() coord.Limit { return coord.Limit{Rate: 7, Period: time.Second, Burst: 1} }
		var mu sync.Mutex
		var at []time.Time
		var wg sync.WaitGroup
		for range 3 { // three processes
			l := coord.NewLimiter(c, "k", lim).Turns()
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
		l := coord.NewLimiter(coord.NewLocal(time.Now), "k", func() coord.Limit {
			return coord.Limit{Rate: rate.Load(), Period: time.Hour, Burst: 1}
		})
		if _, err := l.Turns().Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if wait, ok, err := l.Take(t.Context(), 1); ok || err != nil || wait != time.Hour {
			t.Fatalf("got %v, %v, %v", wait, ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if waited, err := l.Turns().Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || !waited {
			t.Fatalf("got %v, %v", waited, err)
		}
		raised := make(chan time.Time)
		go func() {
			if _, err := l.Turns().Wait(t.Context(), 1); err != nil {
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

// counting counts the calls of a Coord, each of which takes a while.
type counting struct {
	coord.Coord
	takes atomic.Int64
	delay time.Duration
}

func (c *counting) Take(ctx context.Context, p coord.TakeParams) (coord.Taken, error) {
	c.takes.Add(1)
	time.Sleep(c.delay) // virtual: what a call over the network takes
	return c.Coord.Take(ctx, p)
}

// TestTurnsShareCalls has fast callers in three processes: they keep the rate and use it all, with few calls.
func TestTurnsShareCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate, each = 1000, 800
		c := &counting{Coord: coord.NewLocal(time.Now), delay: time.Millisecond}
		var mu sync.Mutex
		var at []time.Time
		var wg sync.WaitGroup
		for range 3 {
			l := coord.NewLimiter(c, "k", func() coord.Limit { return coord.Limit{Rate: rate, Period: time.Second, Burst: 1} }).Turns()
			wg.Go(func() {
				for range each {
					if _, err := l.Wait(t.Context(), 2); err != nil {
						t.Error(err)
					}
					mu.Lock()
					at = append(at, time.Now())
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		// A token is used when its answer came, so up to a call's time after its own.
		slack := int(rate * c.delay / time.Second)
		for i := range at {
			if j := i + rate/10 + 1 + slack; j < len(at) && at[j].Sub(at[i]) <= 100*time.Millisecond {
				t.Fatalf("%d tokens within %v", j-i+1, at[j].Sub(at[i]))
			}
		}
		if took := at[len(at)-1].Sub(at[0]); took > 3*each*time.Second/rate+100*time.Millisecond {
			t.Errorf("%d tokens took %v", len(at), took)
		}
		if n := c.takes.Load(); n > int64(len(at))/20 {
			t.Errorf("%d calls for %d tokens", n, len(at))
		}
	})
}

// TestTurnsAreNotHoarded leaves reserved tokens unused for a while: they are void, and no burst comes of them.
func TestTurnsAreNotHoarded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := coord.NewLimiter(coord.NewLocal(time.Now), "k", func() coord.Limit {
			return coord.Limit{Rate: 100, Period: time.Second, Burst: 1}
		}).Turns()
		for range 3 {
			begin := time.Now()
			for range 4 {
				if _, err := l.Wait(t.Context(), 100); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(begin); took < 30*time.Millisecond || took > 40*time.Millisecond {
				t.Errorf("4 tokens after a rest took %v", took)
			}
			time.Sleep(10 * time.Second) // virtual
		}
	})
}
