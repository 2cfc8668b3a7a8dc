package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

// TestNobodyIsInsideARetiredGeneration swaps generations while many come and go.
func TestNobodyIsInsideARetiredGeneration(t *testing.T) {
	t.Parallel()
	c := newConnection(Config{}, nil)
	var inside sync.Map // of *generation to its number of calls
	count := func(g *generation) *atomic.Int64 {
		n, _ := inside.LoadOrStore(g, new(atomic.Int64))
		return n.(*atomic.Int64)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for ctx.Err() == nil {
				g := c.enter()
				n := count(g)
				if n.Add(1) < 1 {
					t.Error("a call entered after the end")
				}
				n.Add(-1)
				g.leave()
			}
		})
	}
	for range 100 {
		before := c.now.Swap(newGeneration(nil))
		if err := before.retire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := count(before).Swap(-1 << 40); n != 0 {
			t.Fatalf("%d calls are inside after the end", n)
		}
		inside.Delete(before)
	}
	cancel()
	calls.Wait()
}

// BenchmarkEnter is what it costs each call that its connections can be replaced.
func BenchmarkEnter(b *testing.B) {
	c := newConnection(Config{}, nil)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.enter().leave()
		}
	})
}
