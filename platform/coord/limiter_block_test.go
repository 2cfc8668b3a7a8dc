package coord_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/testkit"
)

// watched counts the takes of a Coord, and can be told to fail or hang.
type watched struct {
	coord.Coord
	takes atomic.Int64
	hang  chan struct{}
}

func (w *watched) Take(ctx context.Context, p coord.TakeParams) (coord.Taken, error) {
	w.takes.Add(1)
	if w.hang != nil {
		select {
		case <-w.hang:
			return coord.Taken{}, fault.New(fault.QueueUnavailable, "away")
		case <-ctx.Done():
			return coord.Taken{}, ctx.Err()
		}
	}
	return w.Coord.Take(ctx, p)
}

func limit(n int64, d time.Duration) func() coord.Limit {
	return func() coord.Limit { return coord.Limit{Rate: n, Period: d, Burst: n} }
}

// drain takes n tokens at a time until the limit refuses.
func drain(t *testing.T, l *coord.Limiter, n int64) (got int64) {
	t.Helper()
	for {
		wait, ok, err := l.Take(t.Context(), n)
		if err != nil || !ok && wait <= 0 {
			t.Fatalf("wait %v, %v", wait, err)
		}
		if !ok {
			return got
		}
		got += n
	}
}

func TestLimiterAsksOncePerBlock(t *testing.T) {
	t.Parallel()
	w := &watched{Coord: coord.NewLocal(time.Now)}
	l := coord.NewLimiter(w, "k", limit(10_000, time.Hour))
	if got := drain(t, l, 1); got != 10_000 {
		t.Errorf("%d tokens of 10000", got)
	}
	for range 1000 {
		if _, ok, _ := l.Take(t.Context(), 1); ok {
			t.Fatal("more than the limit")
		}
	}
	if n := w.takes.Load(); n > 102 {
		t.Errorf("%d questions for 11000 tokens", n)
	}
}

// TestLimiterBlocksLoseNoTokens compares with the shared limit itself: never more, and at most a block less.
func TestLimiterBlocksLoseNoTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.Int64Range(1, 2000).Draw(rt, "rate")
		l := coord.NewLimiter(coord.NewLocal(time.Now), "k", limit(rate, 1000*time.Hour))
		var got int64
		refused := false
		for !refused {
			n := rapid.Int64Range(1, max(1, rate/4)).Draw(rt, "n")
			_, ok, err := l.Take(t.Context(), n)
			if err != nil {
				rt.Fatal(err)
			}
			if refused = !ok; ok {
				got += n
			}
			if got > rate {
				rt.Fatalf("%d tokens of %d", got, rate)
			}
			if refused && got+n+rate/100 < rate {
				rt.Fatalf("%d were refused after %d of %d", n, got, rate)
			}
		}
	})
}

func TestLimiterRefusalEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := coord.NewLimiter(coord.NewLocal(time.Now), "k", limit(1000, 10*time.Second))
		drain(t, l, 1)
		wait, ok, err := l.Take(t.Context(), 1)
		if ok || err != nil || wait > 100*time.Millisecond {
			t.Fatalf("a block of 10 is there after 100 ms: %v, %v, %v", wait, ok, err)
		}
		<-time.After(wait)
		if got := drain(t, l, 1); got != 10 {
			t.Fatalf("%d tokens after the wait", got)
		}
		if _, ok, _ := l.Take(t.Context(), 500); ok {
			t.Fatal("more than there are")
		}
		<-time.After(100 * time.Millisecond)
		if _, ok, _ := l.Take(t.Context(), 3); !ok {
			t.Fatal("the refusal of a large take holds a small one up")
		}
	})
}

// slow is a Coord that takes a second to answer.
type slow struct {
	coord.Coord
	tokens atomic.Int64
}

func (s *slow) Take(ctx context.Context, p coord.TakeParams) (coord.Taken, error) {
	<-time.After(time.Second)
	s.tokens.Add(p.N)
	return s.Coord.Take(ctx, p)
}

func TestLimiterSpendsNoTokenTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{Coord: coord.NewLocal(time.Now)}
		l := coord.NewLimiter(s, "k", limit(1000, time.Hour))
		var got int64
		var mu sync.Mutex
		take := func(n int64) {
			_, ok, err := l.Take(t.Context(), n)
			mu.Lock()
			defer mu.Unlock()
			if got += n; !ok || err != nil {
				t.Errorf("%d tokens: %v, %v", n, ok, err)
			}
		}
		take(5) // 5 of the block are left
		var wg sync.WaitGroup
		wg.Go(func() { take(500) })
		synctest.Wait()
		wg.Go(func() { take(5) })
		wg.Wait()
		if got > s.tokens.Load() {
			t.Fatalf("%d tokens were spent of %d", got, s.tokens.Load())
		}
	})
}

func TestLimiterWaitsForAHungServerOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{hang: make(chan struct{})}
		l := coord.NewLimiter(w, "k", limit(1000, time.Second))
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, ok, err := l.Take(t.Context(), 1); ok || !fault.Is(err, fault.QueueUnavailable) {
					t.Errorf("got %v, %v", ok, err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := l.Take(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller that gives up: %v", err)
		}
		close(w.hang)
		wg.Wait()
		if n := w.takes.Load(); n != 1 {
			t.Errorf("a server that hangs was asked %d times", n)
		}
	})
}

func TestTwoLimitersOnRedisKeepTheSharedRate(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{})
	const rate, periods = 1000, 3
	var got, takes atomic.Int64
	var wg sync.WaitGroup
	processes := []*watched{{Coord: coord.NewRedis(connect(t, server), "mutt:")}, {Coord: coord.NewRedis(connect(t, server), "mutt:")}}
	end := time.Now().Add(periods * time.Second)
	for _, w := range processes {
		l := coord.NewLimiter(w, "ingest", limit(rate, time.Second))
		wg.Go(func() {
			for time.Now().Before(end) {
				wait, ok, err := l.Take(t.Context(), 1)
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					got.Add(1)
					continue
				}
				<-time.After(wait)
			}
			takes.Add(w.takes.Load())
		})
	}
	wg.Wait()
	// A window's events may come at once: the burst, and then the rate.
	want := int64(rate * (periods + 1))
	if n := got.Load(); n > want*105/100 || n < want*95/100 {
		t.Errorf("%d tokens, want %d", n, want)
	}
	if n := takes.Load(); n > want/2 {
		t.Errorf("%d questions for %d tokens", n, got.Load())
	}
	t.Logf("%d tokens of %d, %d questions", got.Load(), want, takes.Load())
}

func BenchmarkLimiterTake(b *testing.B) {
	l := coord.NewLimiter(coord.NewLocal(time.Now), "k", limit(1e9, time.Second))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := l.Take(b.Context(), 1); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
