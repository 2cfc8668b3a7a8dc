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
	// CountUnhandledBatch adds, in one transaction, the counts of entries that were not counted before, and gives for
	// each entry, known ones too, the state of the counter of each add.
	CountUnhandledBatch(ctx context.Context, entries []store.CountParams) ([][]store.Counter, error)
	// MarkUnhandled notes that a meta-alert was published for the windows of these counters.
	MarkUnhandled(ctx context.Context, published ...store.Counter) error
}

// Counters counts and finds the windows that are due. Not safe for concurrent use.
type Counters struct {
	Store   Store
	params  []store.CountParams
	adds    []store.CounterAdd
	counted []*Tally // one for each of adds
	// settled holds, by a tally's key, the start of the window whose meta-alert is out, in Unix µs.
	settled map[string]int64
}

// maxSettled bounds settled; beyond it everything is looked up anew.
const maxSettled = 20_000

// Count adds the tallies of entries and gives every window among them, each once, that is at or above the threshold
// and not marked.
func (c *Counters) Count(ctx context.Context, entries []Entry, threshold int64, window time.Duration) ([]Window, error) {
	c.params, c.adds, c.counted = c.params[:0], c.adds[:0], c.counted[:0]
	for i := range entries {
		from := len(c.adds)
		c.choose(entries[i].Tallies, window)
		if n := len(c.adds); n > from {
			c.params = append(c.params, store.CountParams{Entry: entries[i].ID, Adds: c.adds[from:n:n], Expiry: window,
				MaxPerHost: maxPerHost, MaxTotal: maxTotal})
		}
	}
	if len(c.params) == 0 {
		return nil, nil
	}
	states, err := c.Store.CountUnhandledBatch(ctx, c.params)
	if err != nil {
		return nil, err
	}
	var d due
	for i := range states {
		for j := range states[i] {
			s, t := &states[i][j], c.counted[0]
			c.counted = c.counted[1:]
			switch {
			case s.Marked:
				c.settle(t.Key, event.Micros(s.WindowStart))
			case s.N >= threshold:
				d.add(s, t)
			}
		}
	}
	return d.windows, nil
}

// choose adds the tallies that need counting to c.adds and c.counted.
func (c *Counters) choose(tallies []Tally, window time.Duration) {
	for i := range tallies {
		t := &tallies[i]
		if start, ok := c.settled[t.Key]; ok && t.First < start+window.Microseconds() {
			continue
		}
		c.counted = append(c.counted, t)
		c.adds = append(c.adds, store.CounterAdd{Host: t.Host, Mask: t.Mask, N: t.N, FirstAt: event.Time(t.First), Sample: clip(t.Sample)})
	}
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

func (d *due) add(c *store.Counter, t *Tally) {
	name, team := t.Name, t.Team
	if c.Host == store.FoldedHost {
		name, team = c.Host, "" // it stands for many hosts
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
	d.windows = append(d.windows, Window{Counter: *c, Name: name, Team: team})
}

// Mark notes that the meta-alerts of windows were published.
func (c *Counters) Mark(ctx context.Context, windows []Window) error {
	published := make([]store.Counter, len(windows))
	for i := range windows {
		published[i] = windows[i].Counter
	}
	return c.Store.MarkUnhandled(ctx, published...)
}
