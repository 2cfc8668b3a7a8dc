package unhandled

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
	"github.com/muttproject/mutt/platform/store/storetest"
	"github.com/muttproject/mutt/platform/testkit"
)

// process opens the counters of one process.
func process(tb testing.TB, s *testkit.RedisServer) func(prefix string) *Shared {
	tb.Helper()
	client, err := redis.Open(tb.Context(), redis.Config{Addrs: []string{s.Addr()}, Credentials: connect.Only(s.User, s.Password)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return func(prefix string) *Shared {
		return NewShared(coord.NewCounters(coord.NewRedis(client, prefix), "unhandled"))
	}
}

func TestSharedCountsAsTheStoreDoes(t *testing.T) {
	t.Parallel()
	open := process(t, testkit.Redis(t, testkit.RedisOptions{}))
	var n atomic.Int64
	storetest.RunCounters(t, storetest.CountersHarness{Open: func(testing.TB) storetest.Counters {
		return open(fmt.Sprintf("test%d:", n.Add(1)))
	}})
}

func TestProcessesCountTogether(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t, testkit.RedisOptions{})
	at := event.Micros(time.Now())
	var mu sync.Mutex
	var due []Window
	var wg sync.WaitGroup
	for range 3 {
		c := &Counters{Store: process(t, server)("mutt:")}
		wg.Go(func() {
			for range 50 {
				got, err := c.Count(t.Context(), entry(tally("h", 2, at)), 300, time.Hour)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				due = append(due, got...)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(due) != 1 || due[0].N != 300 {
		t.Fatalf("150 entries of 2 events reach 300 once: %+v", due)
	}
}

// BenchmarkShared counts an entry of 400 hosts and masks, as one with nothing in common brings it.
func BenchmarkShared(b *testing.B) {
	s := process(b, testkit.Redis(b, testkit.RedisOptions{AOF: "everysec"}))("mutt:")
	for _, adds := range []int{1, 400} {
		b.Run(fmt.Sprintf("adds=%d", adds), func(b *testing.B) {
			p := store.CountParams{Expiry: time.Hour, MaxPerHost: maxPerHost, MaxTotal: maxTotal}
			for i := range adds {
				p.Adds = append(p.Adds, store.CounterAdd{Host: fmt.Sprintf("sw-%03d.example.net", i), N: 1, FirstAt: time.Now(),
					Mask:   "%LINK-3-UPDOWN: Interface GigabitEthernet<n>, changed state to down; neighbor <ip> lost, adjacency reset",
					Sample: "%LINK-3-UPDOWN: Interface GigabitEthernet1/0/3, changed state to down; neighbor 198.51.100.7 lost, adjacency reset"})
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Entry = entry()[0].ID
				if _, err := s.CountUnhandledBatch(b.Context(), []store.CountParams{p}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*adds), "µs/add")
		})
	}
}
