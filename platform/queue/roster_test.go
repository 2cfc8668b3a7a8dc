package queue_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/queue/sqliteq"
)

// board is a roster in memory, in the order of joining.
type board struct {
	mu      sync.Mutex
	entries []boarded
}

type boarded struct {
	queue.Member
	until time.Time
}

func (b *board) announce(p queue.AnnounceParams) (all []queue.Member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.entries = slices.DeleteFunc(b.entries, func(e boarded) bool { return now.After(e.until) })
	i := slices.IndexFunc(b.entries, func(e boarded) bool { return e.Name == p.Member.Name })
	if i < 0 {
		i = len(b.entries)
		b.entries = append(b.entries, boarded{})
	}
	b.entries[i] = boarded{p.Member, now.Add(p.TTL)}
	if p.TTL == 0 {
		b.entries = slices.Delete(b.entries, i, i+1)
	}
	for _, e := range b.entries {
		all = append(all, e.Member)
	}
	return all
}

// shared is one process' way to a storage that several use. Killed, nothing gets through any more, not even a farewell;
// away, every call fails at once.
type shared struct {
	*sqliteq.Driver
	board  *board
	killed context.Context
	kill   context.CancelFunc
	away   *atomic.Bool
}

func (s *shared) through() error {
	switch {
	case s.killed.Err() != nil:
		return fault.New(fault.Closed, "this process is dead")
	case s.away.Load():
		return fault.New(fault.QueueUnavailable, "the storage is away")
	}
	return nil
}

func (s *shared) Announce(_ context.Context, p queue.AnnounceParams) ([]queue.Member, error) {
	if err := s.through(); err != nil {
		return nil, err
	}
	return s.board.announce(p), nil
}

func (s *shared) Acquire(ctx context.Context, p queue.LeaseParams) (queue.Lease, error) {
	if err := s.through(); err != nil {
		return queue.Lease{}, err
	}
	return s.Driver.Acquire(ctx, p)
}

func (s *shared) Renew(ctx context.Context, l queue.Lease, ttl time.Duration) error {
	if err := s.through(); err != nil {
		return err
	}
	return s.Driver.Renew(ctx, l, ttl)
}

func (s *shared) Yield(ctx context.Context, l queue.Lease) error {
	if err := s.through(); err != nil {
		return err
	}
	return s.Driver.Yield(ctx, l)
}

// fleet is several processes on one storage.
type fleet struct {
	t      *testing.T
	driver *sqliteq.Driver
	board  board
	away   atomic.Bool
	logger *zap.Logger
	mu     sync.Mutex
	hands  [4]string // who works on each partition
	clash  bool
	begun  int
}

// process is one of a fleet: a consumer of the ingest queue.
type process struct {
	stop func() error
	kill context.CancelFunc
}

func (f *fleet) start(name string) process {
	s := &shared{Driver: f.driver, board: &f.board, away: &f.away}
	s.killed, s.kill = context.WithCancel(f.t.Context())
	q := queue.New(s, queue.Options{Registerer: prometheus.NewRegistry(), Now: time.Now, Partitions: len(f.hands), Process: name, Owner: name})
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- q.Consume(ctx, queue.ConsumeOptions{Queue: queue.Ingest, Logger: f.logger}, func(ctx context.Context, h *queue.Holder) error {
			f.work(ctx, h.Partition(), name, s.killed)
			return nil
		})
	}()
	return process{kill: s.kill, stop: func() error { cancel(); return <-done }}
}

// work holds a partition, and takes a second to end in good order.
func (f *fleet) work(ctx context.Context, partition int, name string, killed context.Context) {
	f.mu.Lock()
	f.clash = f.clash || f.hands[partition] != ""
	f.hands[partition] = name
	f.begun++
	f.mu.Unlock()
	select {
	case <-ctx.Done():
		if !fault.Is(context.Cause(ctx), fault.LeaseLost) {
			time.Sleep(time.Second)
		}
	case <-killed.Done():
	}
	f.mu.Lock()
	f.hands[partition] = ""
	f.mu.Unlock()
}

// after lets time pass and gives how many partitions each process works on.
func (f *fleet) after(d time.Duration) map[string]int {
	time.Sleep(d)
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	count := map[string]int{}
	for _, name := range f.hands {
		count[name]++
	}
	if f.clash {
		f.t.Fatal("two processes worked on one partition")
	}
	return count
}

func inFleet(t *testing.T, test func(t *testing.T, f *fleet)) {
	inBubble(t, func(t *testing.T, d *sqliteq.Driver) {
		test(t, &fleet{t: t, driver: d, logger: zap.NewNop()})
	})
}

func TestPartitionsAreSharedOut(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		a := f.start("a")
		same(t, map[string]int{"a": 4}, f.after(0)) // who is alone waits for nobody
		b := f.start("b")
		same(t, map[string]int{"a": 2, "b": 2}, f.after(4*time.Second))
		c := f.start("c")
		same(t, map[string]int{"a": 2, "b": 1, "c": 1}, f.after(4*time.Second))
		moves := f.begun
		f.after(time.Hour)
		same(t, moves, f.begun) // nothing flaps

		b.kill()
		same(t, map[string]int{"a": 2, "c": 2}, f.after(9*time.Second))
		must(t, c.stop())
		same(t, map[string]int{"a": 4}, f.after(3*time.Second))
		must(t, a.stop())
		same(t, map[string]int{"": 4}, f.after(0))
		if err := b.stop(); !fault.Is(err, fault.Closed) {
			t.Errorf("the dead process ended with %v", err)
		}
	})
}

func TestMoreConsumersThanPartitions(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		all := map[string]process{}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			all[name] = f.start(name)
			f.after(3 * time.Second)
		}
		same(t, map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, f.after(0))
		must(t, all["b"].stop())
		same(t, map[string]int{"a": 1, "c": 1, "d": 1, "e": 1}, f.after(3*time.Second))
		for _, name := range []string{"a", "c", "d", "e", "f"} {
			must(t, all[name].stop())
		}
	})
}

// TestStorageAway: nobody knocks often, little is said, and all is as before when it is back.
func TestStorageAway(t *testing.T) {
	inFleet(t, func(t *testing.T, f *fleet) {
		core, logs := observer.New(zap.InfoLevel)
		f.logger = zap.New(core)
		a, b := f.start("a"), f.start("b")
		same(t, map[string]int{"a": 2, "b": 2}, f.after(5*time.Second))
		logs.TakeAll()
		f.away.Store(true)
		same(t, map[string]int{"": 4}, f.after(5*time.Minute))
		if n := len(logs.TakeAll()); n < 10 || n > 2*(5+1)+2*2 { // the leases that were lost are told of one by one
			t.Errorf("%d lines in five minutes from two processes", n)
		}
		begun := f.begun
		f.away.Store(false)
		same(t, map[string]int{"a": 2, "b": 2}, f.after(5*time.Second))
		same(t, 4, f.begun-begun) // each partition went to its holder at once
		f.after(10 * time.Second)
		same(t, 2, logs.FilterMessage("the queue is available again").Len())
		must(t, a.stop())
		must(t, b.stop())
	})
}
