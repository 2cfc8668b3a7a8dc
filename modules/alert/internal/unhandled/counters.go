package unhandled

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of the counters: beyond them a device that words every message anew is counted as one.
const (
	maxPerHost = 1000
	maxTotal   = 200_000
)

// Entry is what one queue entry (or one part of it) adds to the counters.
type Entry struct {
	ID      event.ID
	Tallies []Tally
}

// Store keeps the counters, for all processes.
type Store interface {
	// CountUnhandled adds the counts of an entry unless it was counted before, and gives the state of the counter of
	// each add, also for an entry that is known.
	CountUnhandled(ctx context.Context, p store.CountParams) ([]store.Counter, error)
	// MarkUnhandled notes that a meta-alert was published for the windows of these counters.
	MarkUnhandled(ctx context.Context, published ...store.Counter) error
}

// Counters counts and finds the windows that are due. Not safe for concurrent use.
type Counters struct {
	Store Store
	adds  []store.CounterAdd
	teams []string
	// settled holds, by a tally's key, the start of the window whose meta-alert is out, in Unix µs.
	settled map[string]int64
}

// maxSettled bounds settled; beyond it everything is looked up anew.
const maxSettled = 20_000

// Count adds the tallies of entries and gives every window among them, each once, that is at or above the threshold
// and not marked.
func (c *Counters) Count(ctx context.Context, entries []Entry, threshold int64, window time.Duration) ([]Window, error) {
	var d due
	for i := range entries {
		counted := c.choose(entries[i].Tallies, window)
		if len(counted) == 0 {
			continue
		}
		states, err := c.Store.CountUnhandled(ctx, store.CountParams{Entry: entries[i].ID, Adds: c.adds, Expiry: window,
			MaxPerHost: maxPerHost, MaxTotal: maxTotal})
		if err != nil {
			return nil, err
		}
		for j := range states {
			switch s := &states[j]; {
			case s.Marked:
				c.settle(counted[j], event.Micros(s.WindowStart))
			case s.N >= threshold:
				d.add(s, c.teams[j])
			}
		}
	}
	return d.windows, nil
}

// choose puts the tallies that need counting into c.adds and c.teams, and gives their keys.
func (c *Counters) choose(tallies []Tally, window time.Duration) (keys []string) {
	c.adds, c.teams = c.adds[:0], c.teams[:0]
	for i := range tallies {
		t := &tallies[i]
		if start, ok := c.settled[t.Key]; ok && t.First < start+window.Microseconds() {
			continue
		}
		keys = append(keys, t.Key)
		c.teams = append(c.teams, t.Team)
		c.adds = append(c.adds, store.CounterAdd{Host: t.Host, Mask: t.Mask, N: t.N, FirstAt: event.Time(t.First), Sample: clip(t.Sample)})
	}
	return keys
}

func (c *Counters) settle(key string, start int64) {
	if c.settled == nil || len(c.settled) >= maxSettled {
		c.settled = make(map[string]int64)
	}
	c.settled[key] = start
}

// due gathers windows, each once.
type due struct {
	windows []Window
	index   map[[2]string]int // host and mask
}

func (d *due) add(c *store.Counter, team string) {
	if c.Host == store.FoldedHost {
		team = "" // it stands for many hosts
	}
	key := [2]string{c.Host, c.Mask}
	if at, ok := d.index[key]; ok {
		d.windows[at].Counter = *c // the later state has counted more
		return
	}
	if d.index == nil {
		d.index = map[[2]string]int{}
	}
	d.index[key] = len(d.windows)
	d.windows = append(d.windows, Window{Counter: *c, Team: team})
}

// Mark notes that the meta-alerts of windows were published.
func (c *Counters) Mark(ctx context.Context, windows []Window) error {
	published := make([]store.Counter, len(windows))
	for i := range windows {
		published[i] = windows[i].Counter
	}
	return c.Store.MarkUnhandled(ctx, published...)
}
