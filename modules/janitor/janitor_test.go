package janitor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// books is a queue and a store in memory.
type books struct {
	Store
	Queue
	mu       sync.Mutex
	counters []queue.Counter
	oldest   time.Time
	folded   map[store.MinuteCount]int64
	pruned   time.Time
	windows  time.Time
	sessions time.Time
	purged   int64
	ensured  []time.Time
	leads    bool
	err      error
}

func (b *books) Counters(_ context.Context, since int64) (out []queue.Counter, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.counters {
		if c.Minute >= since {
			out = append(out, c)
		}
	}
	return out, b.err
}

func (b *books) Purge(_ context.Context, before int64) error { b.purged = before; return b.err }

func (b *books) Depth(context.Context, queue.Name) (queue.Depth, error) {
	return queue.Depth{Oldest: b.oldest}, b.err
}

func (b *books) FoldCounts(_ context.Context, counts []store.MinuteCount) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range counts {
		n := c.N
		c.N = 0
		b.folded[c] = n
	}
	return b.err
}

func (b *books) PruneBatches(_ context.Context, t time.Time) (int64, error) {
	b.pruned = t
	return 0, b.err
}
func (b *books) FoldHits(context.Context) error { return nil }

func (b *books) PruneHits(context.Context, time.Time) error { return nil }

func (b *books) PruneUnhandled(_ context.Context, t time.Time) (int64, error) {
	b.windows = t
	return 0, b.err
}

func (b *books) PruneSessions(_ context.Context, t time.Time) error {
	b.sessions = t
	return b.err
}

func (b *books) EnsurePartitions(_ context.Context, now time.Time, ahead int) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ensured = append(b.ensured, now)
	return ahead, b.err
}

func (b *books) Leading() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leads
}

func setup(t *testing.T) (*books, *Module) {
	a := &audited{books: &books{folded: map[store.MinuteCount]int64{}, leads: true}}
	return a.books, a.janitor(t, zap.NewNop())
}

func TestFoldingFollowsTheRunningTotals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := setup(t)
		key := store.MinuteCount{Minute: time.Now().Unix() / 60, Process: "p", Kind: queue.CountReceived, Label: "http"}
		set := func(n int64) {
			b.mu.Lock()
			b.counters = []queue.Counter{{Minute: key.Minute, Process: "p", Kind: queue.CountReceived, Label: "http", N: n}}
			b.mu.Unlock()
		}
		set(5)
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if b.folded[key] != 5 {
			t.Fatalf("after a second: %v", b.folded)
		}
		set(7)
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.folded[key] != 7 {
			t.Fatalf("stopping folds once more: %v", b.folded)
		}
	})
}

func TestPruningKeepsWhatAQueueHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := setup(t)
		now := time.Now()
		if err := m.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(now.Add(-7*24*time.Hour), b.pruned); d != "" {
			t.Fatal(d)
		}
		b.oldest = now.Add(-30 * 24 * time.Hour)
		if err := m.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(b.oldest.Add(-time.Hour), b.pruned); d != "" {
			t.Fatalf("an entry that waits since a month must stay known: %s", d)
		}
		if b.windows != now || b.purged != now.Add(-48*time.Hour).Unix()/60 {
			t.Fatalf("windows %v, counters before %d", b.windows, b.purged)
		}
	})
}

func TestNothingIsPurgedThatWasNotFolded(t *testing.T) {
	b, m := setup(t)
	b.err = errors.New("away")
	if m.Prune(t.Context()) == nil || m.deps.Books.Fold(t.Context()) == nil {
		t.Fatal("the errors are reported")
	}
	if b.purged != 0 {
		t.Fatal("purged although folding failed")
	}
}

func TestFailuresAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := setup(t)
		b.counters = []queue.Counter{{Minute: time.Now().Unix() / 60, Kind: "x", N: 1}}
		b.err = errors.New("away")
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		b.mu.Lock()
		b.err = nil
		b.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(b.folded) != 1 {
			t.Fatal("not folded after the store came back")
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestOnlyTheLeaderFoldsAndEveryoneSeesToPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := setup(t)
		b.leads = false
		b.counters = []queue.Counter{{Minute: time.Now().Unix() / 60, Kind: "x", N: 1}}
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if len(b.folded) != 0 || !b.pruned.IsZero() {
			t.Fatal("a janitor that does not lead folded or pruned")
		}
		if len(b.ensured) != 1 {
			t.Fatalf("partitions were looked for %d times in the first hour, want once, at the start", len(b.ensured))
		}
		b.mu.Lock()
		b.leads = true
		b.mu.Unlock()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(b.folded) != 1 || b.pruned.IsZero() || len(b.ensured) != 2 {
			t.Fatalf("after it became the leader: folded %v, pruned %v, partitions %d times", b.folded, b.pruned, len(b.ensured))
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPartitionsAreTriedAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, m := setup(t)
		b.err = errors.New("away")
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Second)
		synctest.Wait()
		if len(b.ensured) != 3 {
			t.Fatalf("tried %d times in 150 s, want at 0, 60 and 120 s", len(b.ensured))
		}
		b.mu.Lock()
		b.err = nil
		b.mu.Unlock()
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
