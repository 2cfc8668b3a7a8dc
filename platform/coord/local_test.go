package coord_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/coord/coordtest"
)

// clock is a clock that only its owner moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestLocalConforms(t *testing.T) {
	t.Parallel()
	coordtest.Run(t, coordtest.Harness{Open: func(tb testing.TB) (coord.Coord, func(time.Duration)) {
		clk := newClock()
		return coord.NewLocal(clk.Now), clk.Advance
	}})
}

func TestLocalForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	clk := newClock()
	c := coord.NewLocal(clk.Now)
	for i := range 5000 {
		clk.Advance(time.Second)
		key := fmt.Sprint("k", i)
		if _, err := c.Put(t.Context(), coord.PutParams{Key: key, Data: []byte("x"), TTL: time.Second}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Take(t.Context(), coord.TakeParams{Key: key, Rate: 1, Period: time.Second, Burst: 1, N: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := coord.Held(c); n > 3000 {
		t.Fatalf("%d keys are kept of which two live", n)
	}
}

func BenchmarkTake(b *testing.B) {
	c := coord.NewLocal(time.Now)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Take(b.Context(), coord.TakeParams{Key: "k", Rate: 1e9, Period: time.Second, Burst: 1, N: 1, Ahead: time.Hour}); err != nil {
			b.Fatal(err)
		}
	}
}
