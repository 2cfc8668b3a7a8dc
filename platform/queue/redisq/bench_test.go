package redisq_test

import (
	"bytes"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/connect/redis"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/redisq"
	"github.com/muttproject/mutt/platform/testkit"
)

// meter measures what events cost this process and Redis.
type meter struct {
	b           *testing.B
	s           *testkit.RedisServer
	start       time.Time
	mutt, redis float64
}

func newMeter(b *testing.B, s *testkit.RedisServer) *meter {
	m := &meter{b: b, s: s, mutt: ownCPU(b), redis: redisCPU(b, s), start: time.Now()}
	b.ResetTimer()
	return m
}

func (m *meter) report(events int) {
	m.b.StopTimer()
	n := float64(events)
	m.b.ReportMetric(n/time.Since(m.start).Seconds(), "events/s")
	m.b.ReportMetric((ownCPU(m.b)-m.mutt)*1e6/n, "mutt-µs/event")
	m.b.ReportMetric((redisCPU(m.b, m.s)-m.redis)*1e6/n, "redis-µs/event")
}

func ownCPU(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func redisCPU(b *testing.B, s *testkit.RedisServer) float64 {
	var sum float64
	for line := range strings.Lines(s.Do("INFO", "cpu")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "used_cpu_sys" && name != "used_cpu_user" {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return sum
}

func benchDriver(b *testing.B) (*redisq.Driver, *testkit.RedisServer) {
	s := testkit.Redis(b, testkit.RedisOptions{AOF: "everysec"})
	return open(b, redisq.Options{Client: connect(b, redis.Standalone, s), Config: config("mutt", 1), Logger: zap.NewNop(), Now: time.Now}), s
}

// BenchmarkBatches appends, claims and settles entries of 500 events.
func BenchmarkBatches(b *testing.B) {
	d, s := benchDriver(b)
	body := bytes.Repeat([]byte("0123456789abcdef"), 2048)
	l, err := d.Acquire(b.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "a", TTL: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	m := newMeter(b, s)
	for range b.N {
		e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 500, Body: body}
		count := []queue.Count{{Minute: 1, Kind: queue.CountReceived, Label: "http", N: 500}}
		if err := d.Append(b.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Cap: 1e9, Process: "p", Counts: count}); err != nil {
			b.Fatal(err)
		}
		got, err := d.Claim(b.Context(), queue.ClaimParams{Lease: l, Max: 10})
		if err != nil || len(got) != 1 {
			b.Fatal(len(got), err)
		}
		if err := d.Settle(b.Context(), queue.SettleParams{Lease: l, Ack: []event.ID{got[0].Entry}}); err != nil {
			b.Fatal(err)
		}
	}
	m.report(500 * b.N)
}

// BenchmarkSingles appends entries of one event from 64 goroutines, which share the way to Redis.
func BenchmarkSingles(b *testing.B) {
	d, s := benchDriver(b)
	body := bytes.Repeat([]byte("0123456789"), 20)
	var failed atomic.Int64
	b.SetParallelism(32) // times 2 processors
	m := newMeter(b, s)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e := queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1, Body: body}
			count := []queue.Count{{Minute: 1, Kind: queue.CountReceived, Label: "http", N: 1}}
			if d.Append(b.Context(), queue.AppendParams{Entries: []queue.Entry{e}, Cap: 1e9, Process: "p", Counts: count}) != nil {
				failed.Add(1)
			}
		}
	})
	m.report(b.N)
	if n := failed.Load(); n > 0 {
		b.Fatalf("%d appends failed", n)
	}
}

// BenchmarkLongQueue appends, claims and acks one entry of one event while many wait, and tells what one of them
// takes of Redis's memory. Its figures must not grow with the length.
func BenchmarkLongQueue(b *testing.B) {
	for _, length := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(length), func(b *testing.B) {
			d, s := benchDriver(b)
			l, err := d.Acquire(b.Context(), queue.LeaseParams{Queue: queue.Ingest, Owner: "a", TTL: time.Hour})
			if err != nil {
				b.Fatal(err)
			}
			empty := usedMemory(b, s)
			fill(b, d, length)
			perEntry := float64(usedMemory(b, s)-empty) / float64(length)
			m := newMeter(b, s)
			for range b.N {
				fill(b, d, 1)
				got, err := d.Claim(b.Context(), queue.ClaimParams{Lease: l, Max: 1})
				if err != nil || len(got) != 1 {
					b.Fatal(len(got), err)
				}
				if err := d.Settle(b.Context(), queue.SettleParams{Lease: l, Ack: []event.ID{got[0].Entry}}); err != nil {
					b.Fatal(err)
				}
				if _, err := d.Depth(b.Context(), queue.Ingest); err != nil {
					b.Fatal(err)
				}
			}
			m.report(b.N)
			b.ReportMetric(perEntry, "redis-B/entry")
		})
	}
}

func fill(b *testing.B, d *redisq.Driver, n int) {
	body := bytes.Repeat([]byte("0123456789"), 20)
	for n > 0 {
		batch := make([]queue.Entry, min(n, 500))
		for i := range batch {
			batch[i] = queue.Entry{ID: queue.NewEntryID(), Queue: queue.Ingest, Events: 1, Body: body}
		}
		if err := d.Append(b.Context(), queue.AppendParams{Entries: batch}); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}

func usedMemory(b *testing.B, s *testkit.RedisServer) int {
	for line := range strings.Lines(s.Do("INFO", "memory")) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				b.Fatal(err)
			}
			return n
		}
	}
	b.Fatal("Redis does not tell its memory")
	return 0
}
