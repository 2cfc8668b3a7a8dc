package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// Counters counts unhandled events: the store does, and Redis behind the alerter's interface.
type Counters interface {
	CountUnhandledBatch(ctx context.Context, entries []store.CountParams) ([][]store.Counter, error)
	MarkUnhandled(ctx context.Context, published ...store.Counter) error
}

// CountersHarness is what an implementation of Counters brings to RunCounters.
type CountersHarness struct {
	Open func(t testing.TB) Counters // on a fresh, empty namespace
	// Prune is PruneUnhandled; nil for counters that are forgotten by themselves.
	Prune func(t testing.TB, c Counters, now time.Time) int64
}

// RunCounters runs what all counters must do.
func RunCounters(t *testing.T, h CountersHarness) {
	for name, run := range counterCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, h)
		})
	}
}

func counterCases() map[string]func(*testing.T, CountersHarness) {
	return map[string]func(*testing.T, CountersHarness){
		"counts within a window":              countsInWindow,
		"a known entry does not count again":  countsOnce,
		"an expired window restarts":          expiredWindow,
		"several entries at once":             countsSeveral,
		"marks are of one window":             marksOfWindow,
		"masks over the bound fold":           foldsPerHost,
		"hosts over the bound fold":           foldsTotal,
		"like texts are apart":                keysApart,
		"random calls count as a naive model": countsLikeModel,
		"more adds than a statement takes":    countsMany,
	}
}

func unhandledCases() map[string]func(*testing.T, Harness) {
	cases := map[string]func(*testing.T, Harness){
		"pruning forgets what expired":            pruneUnhandled,
		"pruning forgets what was counted":        pruneCounted,
		"a call that is cancelled counts nothing": countCancelled,
	}
	for name, run := range counterCases() {
		cases[name] = func(t *testing.T, h Harness) {
			run(t, CountersHarness{
				Open: func(t testing.TB) Counters { return open(t, h).Store },
				Prune: func(t testing.TB, c Counters, now time.Time) int64 {
					return value[int64](t)(c.(*store.Store).PruneUnhandled(context.Background(), now))
				},
			})
		}
	}
	return cases
}

func at(seconds int) time.Time { return epoch().Add(time.Duration(seconds) * time.Second) }

// count counts adds of a new entry in windows of a minute.
func count(t testing.TB, c Counters, adds ...store.CounterAdd) []store.Counter {
	t.Helper()
	return countEntry(t, c, store.CountParams{Entry: uuid.Must(uuid.NewV7()), Adds: adds, Expiry: time.Minute, MaxPerHost: 3, MaxTotal: 6})
}

func countEntry(t testing.TB, c Counters, p store.CountParams) []store.Counter {
	t.Helper()
	return value[[][]store.Counter](t)(c.CountUnhandledBatch(t.Context(), []store.CountParams{p}))[0]
}

func add(host, mask string, n int64, second int) store.CounterAdd {
	return store.CounterAdd{Host: host, Mask: mask, N: n, FirstAt: at(second), Sample: fmt.Sprintf("%s at %d", mask, second)}
}

func expect(t testing.TB, what string, got []store.Counter, want ...store.Counter) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func countsInWindow(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	m := store.Counter{Host: "h", Mask: "m", N: 2, WindowStart: at(5), Sample: "m at 5"}
	x := store.Counter{Host: "h", Mask: "x", N: 1, WindowStart: at(6), Sample: "x at 6"}
	expect(t, "first", count(t, c, add("h", "m", 2, 5), add("h", "x", 1, 6)), m, x)
	m.N = 12
	expect(t, "more", count(t, c, add("h", "m", 10, 64)), m)
	m.N = 13
	expect(t, "an older event", count(t, c, add("h", "m", 1, 1)), m)
	g := store.Counter{Host: "g", Mask: "m", N: 1, WindowStart: at(64), Sample: "m at 64"}
	expect(t, "another host", count(t, c, add("g", "m", 1, 64)), g)
}

func countsOnce(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	p := store.CountParams{Entry: uuid.Must(uuid.NewV7()), Expiry: time.Minute, Adds: []store.CounterAdd{add("h", "m", 2, 5), add("h", "m", 3, 6)}}
	after := store.Counter{Host: "h", Mask: "m", N: 5, WindowStart: at(5), Sample: "m at 5"}
	first := countEntry(t, c, p)
	expect(t, "first", first[1:], after)
	for range 2 {
		expect(t, "again", countEntry(t, c, p), after, after)
	}
	p.Adds = []store.CounterAdd{add("h", "gone", 1, 1)}
	expect(t, "a counter that is gone", countEntry(t, c, p), store.Counter{Host: "h", Mask: "gone"})
}

func pruneCounted(t *testing.T, h Harness) {
	s := open(t, h)
	p := store.CountParams{Entry: uuid.Must(uuid.NewV7()), Expiry: time.Minute, Adds: []store.CounterAdd{add("h", "m", 2, 5)}}
	countEntry(t, s.Store, p)
	value[int64](t)(s.PruneBatches(t.Context(), newClock().Now().Add(time.Hour)))
	if got := countEntry(t, s.Store, p); got[0].N != 4 {
		t.Errorf("an entry whose mark was pruned: %+v", got)
	}
}

func countsSeveral(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	params := func(adds ...store.CounterAdd) store.CountParams {
		return store.CountParams{Entry: uuid.Must(uuid.NewV7()), Expiry: time.Minute, Adds: adds}
	}
	known := params(add("h", "m", 2, 5))
	countEntry(t, c, known)
	got := value[[][]store.Counter](t)(c.CountUnhandledBatch(t.Context(), []store.CountParams{
		known, params(add("h", "m", 3, 6), add("h", "x", 1, 7)), params(), params(add("h", "m", 4, 8)),
	}))
	m := store.Counter{Host: "h", Mask: "m", N: 2, WindowStart: at(5), Sample: "m at 5"}
	x := store.Counter{Host: "h", Mask: "x", N: 1, WindowStart: at(7), Sample: "x at 7"}
	expect(t, "a known entry", got[0], m)
	m.N = 5
	expect(t, "a new entry", got[1], m, x)
	if len(got[2]) != 0 {
		t.Errorf("an empty entry: %v", got[2])
	}
	m.N = 9
	expect(t, "another one on top", got[3], m)
}

func expiredWindow(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	first := count(t, c, add("h", "m", 5, 0))
	must(t, c.MarkUnhandled(t.Context(), first...))
	got := count(t, c, add("h", "m", 1, 59))
	expect(t, "inside", got, store.Counter{Host: "h", Mask: "m", N: 6, WindowStart: at(0), Marked: true, Sample: "m at 0"})
	got = count(t, c, add("h", "m", 2, 60))
	expect(t, "after", got, store.Counter{Host: "h", Mask: "m", N: 2, WindowStart: at(60), Sample: "m at 60"})
}

func marksOfWindow(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	old := count(t, c, add("h", "m", 5, 0), add("h", "x", 1, 0))
	count(t, c, add("h", "m", 5, 70))
	must(t, c.MarkUnhandled(t.Context(), old...))
	got := count(t, c, add("h", "m", 1, 71), add("h", "x", 1, 1))
	if got[0].Marked || !got[1].Marked {
		t.Errorf("marked: the new window %v, the same window %v", got[0].Marked, got[1].Marked)
	}
}

func foldsPerHost(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	got := count(t, c, add("h", "1", 1, 0), add("h", "2", 1, 0), add("h", "3", 1, 0), add("h", "4", 1, 0), add("h", "5", 2, 0))
	folded := store.Counter{Host: "h", Mask: "*", N: 3, WindowStart: at(0), Sample: "4 at 0", Folded: true}
	expect(t, "over the bound", got[4:], folded)
	got = count(t, c, add("h", "2", 1, 1), add("h", "4", 1, 1), add("g", "1", 1, 1))
	folded.N = 4
	expect(t, "later", got, store.Counter{Host: "h", Mask: "2", N: 2, WindowStart: at(0), Sample: "2 at 0"}, folded,
		store.Counter{Host: "g", Mask: "1", N: 1, WindowStart: at(1), Sample: "1 at 1"})
	must(t, c.MarkUnhandled(t.Context(), folded))
	if got := count(t, c, add("h", "6", 1, 2)); !got[0].Marked || got[0].N != 5 {
		t.Errorf("the folded counter: %+v", got[0])
	}
}

func foldsTotal(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	for i := range 6 {
		if got := count(t, c, add(fmt.Sprintf("h%d", i), "m", 1, 0)); got[0].Folded {
			t.Errorf("counter %d is folded", i)
		}
	}
	for i := range 20 {
		got := count(t, c, add(fmt.Sprintf("spoofed-%d", i), "m", 1, 0))
		expect(t, "over the bound", got, store.Counter{Host: "*", Mask: "*", N: int64(i + 1), WindowStart: at(0), Sample: "m at 0", Folded: true})
	}
	if got := count(t, c, add("h3", "m", 1, 0)); got[0].Folded || got[0].N != 2 {
		t.Errorf("a counter that was there before: %+v", got[0])
	}
}

func pruneUnhandled(t *testing.T, h Harness) {
	s := open(t, h)
	count(t, s.Store, add("h", "old", 1, 0), add("h", "young", 1, 1))
	if n := value[int64](t)(s.PruneUnhandled(t.Context(), at(60))); n != 1 {
		t.Errorf("%d counters pruned, want 1", n)
	}
	got := count(t, s.Store, add("h", "old", 1, 2), add("h", "young", 1, 2))
	if got[0].N != 1 || got[1].N != 2 {
		t.Errorf("after pruning: %+v", got)
	}
}

func keysApart(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	for _, a := range []store.CounterAdd{add("ab", "c", 1, 0), add("a", "bc", 1, 0), add("", "abc", 1, 0), add("abc", "", 1, 0)} {
		if got := count(t, c, a); got[0].N != 1 {
			t.Errorf("%q %q shares a counter: %+v", a.Host, a.Mask, got[0])
		}
	}
	var none event.ID
	if got := countEntry(t, c, store.CountParams{Entry: none}); len(got) != 0 {
		t.Errorf("no adds: %v", got)
	}
}
