// Package busiest knows which hosts and rules had the most events of the last 15 minutes, in bounded memory.
//
// Principles:
//  1. Each minute has a sketch of its own (space-saving, Metwally 2005): a fixed number of counters, of which the smallest one is taken over
//     by a name that has none. A name with more than total/counters events is never missed, and no count is too low.
//  2. Counting is done once for each batch, under a lock that holds no I/O.
//  3. What may be too high is said: an answer is bounded when a counter was ever taken over.
package busiest

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

const (
	// Minutes is how far back the counts go, the present minute included.
	Minutes = 15
	// counters is how many names each minute knows.
	counters = 256
)

// Count is how many events a name had, at most.
type Count struct {
	Name string
	N    int64
}

// Tracker counts the events of hosts and rules. Safe for concurrent use.
type Tracker struct {
	now func() time.Time

	mu     sync.Mutex
	hosts  window
	rules  window
	folded []byte
}

// New returns a Tracker that has counted nothing.
func New(now func() time.Time) *Tracker { return &Tracker{now: now} }

// Add counts events that were judged.
func (t *Tracker) Add(events []event.Event, decisions []event.Decision) {
	minute := t.now().Unix() / 60
	t.mu.Lock()
	defer t.mu.Unlock()
	hosts, rules := t.hosts.at(minute), t.rules.at(minute)
	for i := range events {
		t.folded = event.AppendFoldedHost(t.folded[:0], events[i].Hostname)
		hosts.add(t.folded)
		if d := &decisions[i]; d.RuleID != 0 {
			t.folded = append(t.folded[:0], d.RuleName...)
			rules.add(t.folded)
		}
	}
}

// Hosts returns the n busiest hosts of the last 15 minutes, by their identity, the busiest first; bounded says that counts may be too high
// or that there are more.
func (t *Tracker) Hosts(n int) (top []Count, bounded bool) { return t.top(&t.hosts, n) }

// Rules returns the n rules that won most often in the last 15 minutes, as Hosts does.
func (t *Tracker) Rules(n int) (top []Count, bounded bool) { return t.top(&t.rules, n) }

func (t *Tracker) top(w *window, n int) (top []Count, bounded bool) {
	minute := t.now().Unix() / 60
	t.mu.Lock()
	defer t.mu.Unlock()
	sums := map[string]int64{}
	for i := range w {
		if s := &w[i]; s.minute > minute-Minutes && s.minute <= minute {
			bounded = bounded || s.replaced
			for k := range s.counts {
				sums[s.counts[k].Name] += s.counts[k].N
			}
		}
	}
	top = make([]Count, 0, len(sums))
	for name, sum := range sums {
		top = append(top, Count{name, sum})
	}
	slices.SortFunc(top, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name)) })
	if len(top) > n {
		return top[:n], true
	}
	return top, bounded
}

// window has one sketch for each minute, by the minute modulo Minutes.
type window [Minutes]sketch

func (w *window) at(minute int64) *sketch {
	s := &w[minute%Minutes]
	if s.minute != minute || s.index == nil {
		*s = sketch{minute: minute, index: make(map[string]int, counters), counts: s.counts[:0]}
	}
	return s
}

// sketch counts the names of a minute.
type sketch struct {
	minute   int64
	index    map[string]int // of counts, by name
	counts   []Count
	least    []int // counters that had the least count when they were looked for, and may have it still
	leastN   int64
	replaced bool
}

func (s *sketch) add(name []byte) {
	if i, known := s.index[string(name)]; known {
		s.counts[i].N++
		return
	}
	if len(s.counts) < counters {
		s.index[string(name)] = len(s.counts)
		s.counts = append(s.counts, Count{string(name), 1})
		return
	}
	i := s.smallest()
	delete(s.index, s.counts[i].Name)
	s.counts[i] = Count{string(name), s.counts[i].N + 1}
	s.index[s.counts[i].Name] = i
	s.replaced = true
}

// smallest returns a counter with the least count. Counts only grow, so that those found in one search serve until all have grown.
func (s *sketch) smallest() int {
	for {
		for len(s.least) > 0 {
			i := s.least[len(s.least)-1]
			s.least = s.least[:len(s.least)-1]
			if s.counts[i].N == s.leastN {
				return i
			}
		}
		s.leastN = s.counts[0].N
		for _, c := range s.counts {
			s.leastN = min(s.leastN, c.N)
		}
		for i, c := range s.counts {
			if c.N == s.leastN {
				s.least = append(s.least, i)
			}
		}
	}
}
