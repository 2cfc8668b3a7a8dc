package unhandled

import (
	"context"

	"github.com/muttproject/mutt/platform/coord"
	"github.com/muttproject/mutt/platform/store"
)

// Shared is the Store of many processes: its counters are on Redis.
type Shared struct{ counters *coord.Counters }

var _ Store = (*Shared)(nil)

// NewShared makes a Shared.
func NewShared(c *coord.Counters) *Shared { return &Shared{counters: c} }

// CountUnhandledBatch implements Store. Each entry is counted whole or not at all.
func (s *Shared) CountUnhandledBatch(ctx context.Context, entries []store.CountParams) ([][]store.Counter, error) {
	batches := make([]coord.IncrParams, len(entries))
	for i := range entries {
		p := &entries[i]
		batches[i] = coord.IncrParams{Batch: p.Entry, Expiry: p.Expiry, MaxPerGroup: p.MaxPerHost, MaxTotal: p.MaxTotal,
			Adds: make([]coord.CounterAdd, len(p.Adds))}
		for k, a := range p.Adds {
			batches[i].Adds[k] = coord.CounterAdd{Group: a.Host, Name: a.Mask, N: a.N, At: a.FirstAt, Note: a.Sample}
		}
	}
	states, err := s.counters.Incr(ctx, batches)
	if err != nil {
		return nil, err
	}
	out := make([][]store.Counter, len(states))
	for i := range states {
		out[i] = make([]store.Counter, len(states[i]))
		for k, c := range states[i] {
			out[i][k] = store.Counter{Host: c.Group, Mask: c.Name, N: c.N, WindowStart: c.Start, Marked: c.Marked,
				Sample: c.Note, Folded: c.Folded}
		}
	}
	return out, nil
}

// MarkUnhandled implements Store.
func (s *Shared) MarkUnhandled(ctx context.Context, published ...store.Counter) error {
	windows := make([]coord.Counted, len(published))
	for i, c := range published {
		windows[i] = coord.Counted{Group: c.Host, Name: c.Mask, Start: c.WindowStart}
	}
	return s.counters.Mark(ctx, windows)
}
