package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// naiveCounters is a model of the counters, one add at a time.
type naiveCounters struct {
	counters map[naiveHome]*naiveCounter
	entries  map[event.ID]bool
}

type naiveHome struct{ host, mask string }

type naiveCounter struct {
	store.Counter
	ends time.Time
}

func naiveHomes(a store.CounterAdd) []naiveHome {
	return []naiveHome{{a.Host, a.Mask}, {a.Host, "*"}, {"*", "*"}}
}

func (m *naiveCounters) count(entries []store.CountParams) [][]store.Counter {
	out := make([][]store.Counter, len(entries))
	for i, p := range entries {
		out[i] = make([]store.Counter, len(p.Adds))
		for k, a := range p.Adds {
			if m.entries[p.Entry] {
				out[i][k] = m.lookup(a)
			} else {
				out[i][k] = m.add(p, a)
			}
		}
		m.entries[p.Entry] = true
	}
	return out
}

func (m *naiveCounters) add(p store.CountParams, a store.CounterAdd) store.Counter {
	for i, at := range naiveHomes(a) {
		if m.counters[at] == nil && !m.room(p, a.Host, i) {
			continue
		}
		c := m.counters[at]
		if c == nil || !a.FirstAt.Before(c.WindowStart.Add(p.Expiry)) {
			c = &naiveCounter{Counter: store.Counter{Host: at.host, Mask: at.mask, WindowStart: a.FirstAt, Sample: a.Sample}}
		}
		c.N += a.N
		c.ends = c.WindowStart.Add(p.Expiry)
		m.counters[at] = c
		return c.state(i)
	}
	panic("no home")
}

// room counts anew each time: the own masks of a host, and all counters.
func (m *naiveCounters) room(p store.CountParams, host string, home int) bool {
	ofHost := 0
	for at := range m.counters {
		if at.host == host && at.mask != "*" {
			ofHost++
		}
	}
	hostFull := p.MaxPerHost > 0 && ofHost >= p.MaxPerHost
	allFull := p.MaxTotal > 0 && len(m.counters) >= p.MaxTotal
	return home == 2 || !allFull && (home == 1 || !hostFull)
}

func (m *naiveCounters) lookup(a store.CounterAdd) store.Counter {
	for i, at := range naiveHomes(a) {
		if c := m.counters[at]; c != nil {
			return c.state(i)
		}
	}
	return store.Counter{Host: a.Host, Mask: a.Mask}
}

func (c *naiveCounter) state(home int) store.Counter {
	s := c.Counter
	s.Folded = home > 0
	return s
}

func (m *naiveCounters) mark(published []store.Counter) {
	for _, p := range published {
		if c := m.counters[naiveHome{p.Host, p.Mask}]; c != nil && c.WindowStart.Equal(p.WindowStart) {
			c.Marked = true
		}
	}
}

func (m *naiveCounters) prune(now time.Time) (n int64) {
	for at, c := range m.counters {
		if !c.ends.After(now) {
			delete(m.counters, at)
			n++
		}
	}
	return n
}

// drawEntry takes few hosts, masks and seconds, so that bounds and ends of windows are met often. "*" may come from
// outside too.
func drawEntry(rt *rapid.T, ids []event.ID) store.CountParams {
	p := store.CountParams{
		Entry:      rapid.SampledFrom(ids).Draw(rt, "entry"),
		Expiry:     time.Duration(rapid.SampledFrom([]int{10, 10, 10, 15}).Draw(rt, "expiry")) * time.Second,
		MaxPerHost: rapid.SampledFrom([]int{3, 3, 2, 0}).Draw(rt, "max per host"),
		MaxTotal:   rapid.SampledFrom([]int{7, 7, 5, 0}).Draw(rt, "max total"),
	}
	for range rapid.IntRange(0, 12).Draw(rt, "adds") {
		p.Adds = append(p.Adds, add(
			rapid.SampledFrom([]string{"a", "b", "c", "*"}).Draw(rt, "host"),
			rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "*"}).Draw(rt, "mask"),
			rapid.Int64Range(1, 9).Draw(rt, "n"), rapid.IntRange(0, 40).Draw(rt, "second")))
	}
	return p
}

// countsLikeModel counts, redelivers, marks and prunes at random; each answer must be the model's.
func countsLikeModel(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	rapid.Check(t, func(rt *rapid.T) {
		if h.Prune != nil {
			h.Prune(t, c, at(1_000_000)) // of the run before
		} else {
			c = h.Open(t)
		}
		m := naiveCounters{map[naiveHome]*naiveCounter{}, map[event.ID]bool{}}
		ids := make([]event.ID, 8)
		for i := range ids {
			ids[i] = uuid.Must(uuid.NewV7())
		}
		for range rapid.IntRange(1, 8).Draw(rt, "calls") {
			entries := make([]store.CountParams, rapid.IntRange(1, 3).Draw(rt, "entries"))
			for i := range entries {
				entries[i] = drawEntry(rt, ids)
			}
			got := value[[][]store.Counter](t)(c.CountUnhandledBatch(t.Context(), entries))
			if diff := cmp.Diff(m.count(entries), got); diff != "" {
				rt.Fatalf("counted (-want +got):\n%s", diff)
			}
			if rapid.Bool().Draw(rt, "mark") {
				must(t, c.MarkUnhandled(t.Context(), got[0]...))
				m.mark(got[0])
			}
			if rapid.IntRange(0, 3).Draw(rt, "prune") == 0 && h.Prune != nil {
				now := at(rapid.IntRange(0, 40).Draw(rt, "now"))
				if n, want := h.Prune(t, c, now), m.prune(now); n != want {
					rt.Fatalf("%d counters pruned, want %d", n, want)
				}
			}
		}
	})
}

// countsMany has more adds than one statement takes: all of them new, then counted again, then with new windows.
func countsMany(t *testing.T, h CountersHarness) {
	c := h.Open(t)
	m := naiveCounters{map[naiveHome]*naiveCounter{}, map[event.ID]bool{}}
	for i, second := range []int{0, 1, 100} {
		p := store.CountParams{Entry: uuid.Must(uuid.NewV7()), Expiry: time.Minute, MaxPerHost: 5, MaxTotal: 600}
		for k := range 700 {
			p.Adds = append(p.Adds, add(fmt.Sprintf("h%d", k%150), fmt.Sprintf("m%d", k), int64(k+i), second))
		}
		entries := []store.CountParams{p}
		expect(t, fmt.Sprintf("call %d", i), countEntry(t, c, p), m.count(entries)[0]...)
	}
}

// countCancelled ends the context while the transaction runs: the clock is read in it.
func countCancelled(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	s := h.Open(t, store.Options{Now: func() time.Time { cancel(); return at(0) }, Logger: zap.NewNop()})
	p := store.CountParams{Entry: uuid.Must(uuid.NewV7()), Expiry: time.Minute, Adds: []store.CounterAdd{add("h", "m", 2, 5)}}
	if _, err := s.CountUnhandled(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	want := store.Counter{Host: "h", Mask: "m", N: 2, WindowStart: at(5), Sample: "m at 5"}
	expect(t, "again", value[[]store.Counter](t)(s.CountUnhandled(t.Context(), p)), want)
}
