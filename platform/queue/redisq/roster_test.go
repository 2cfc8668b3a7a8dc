package redisq_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

// town is several processes that work on the same queues.
type town struct {
	t      *testing.T
	server *testkit.RedisServer
	mu     sync.Mutex
	hands  map[queue.Name][4]string
	clash  bool
	ended  sync.WaitGroup
}

// settle begins a process that consumes both queues. kill cuts it off from Redis without a farewell.
func (w *town) settle(name string) (stop, kill func()) {
	client := connect(w.t, redis.Standalone, w.server)
	d := open(w.t, redisq.Options{Client: client, Config: config("mutt", 4), Logger: zap.NewNop(), Now: time.Now})
	q := queue.New(d, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: 4, Process: name, Owner: name})
	ctx, cancel := context.WithCancel(w.t.Context())
	killed, die := context.WithCancel(context.Background())
	for _, n := range queue.Names() {
		w.ended.Go(func() {
			_ = q.Consume(ctx, queue.ConsumeOptions{Queue: n, Logger: zap.NewNop()}, func(ctx context.Context, h *queue.Holder) error {
				w.work(ctx, killed, n, h.Partition(), name)
				return nil
			})
		})
	}
	w.t.Cleanup(func() { cancel(); die() })
	return cancel, func() {
		die()
		client.Close()
	}
}

func (w *town) work(ctx, killed context.Context, n queue.Name, partition int, name string) {
	w.set(n, partition, name)
	select {
	case <-ctx.Done():
	case <-killed.Done():
	}
	w.set(n, partition, "")
}

func (w *town) set(n queue.Name, partition int, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hands[n]
	w.clash = w.clash || name != "" && h[partition] != ""
	h[partition] = name
	w.hands[n] = h
}

// shared tells whether each queue is shared out as wanted.
func (w *town) shared(want map[string]int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range queue.Names() {
		count := map[string]int{}
		for _, name := range w.hands[n] {
			count[name]++
		}
		if !maps.Equal(want, count) {
			return false
		}
	}
	return true
}

func (w *town) within(d time.Duration, want map[string]int) {
	w.t.Helper()
	begin := time.Now()
	until(w.t, "the partitions are shared out", func() bool { return w.shared(want) })
	if took := time.Since(begin); took > d {
		w.t.Errorf("it took %v until %v", took, want)
	}
}

// TestProcessesShareRedis goes through joining, death, a stop and a restart of Redis, with the real times. (A farewell right after the restart may be
// lost with its connection; then the lease runs out as after a death.)
func TestProcessesShareRedis(t *testing.T) {
	t.Parallel()
	w := &town{t: t, server: testkit.Redis(t, testkit.RedisOptions{AOF: "everysec"}), hands: map[queue.Name][4]string{}}
	t.Cleanup(w.ended.Wait) // runs after the contexts of settle ended
	stopA, _ := w.settle("a")
	w.within(5*time.Second, map[string]int{"a": 4})
	_, killB := w.settle("b")
	w.within(5*time.Second, map[string]int{"a": 2, "b": 2})
	w.settle("c")
	w.within(5*time.Second, map[string]int{"a": 2, "b": 1, "c": 1})
	killB()
	w.within(10*time.Second, map[string]int{"a": 2, "c": 2})
	stopA()
	w.within(5*time.Second, map[string]int{"c": 4})
	w.settle("d")
	w.within(5*time.Second, map[string]int{"c": 2, "d": 2})
	w.server.Kill()
	w.server.Start()
	w.settle("e") // who has a connection that broke needs a moment for another
	w.within(10*time.Second, map[string]int{"c": 2, "d": 1, "e": 1})
	if w.clash {
		t.Error("two processes worked on one partition")
	}
}
