package objectives

import (
	"context"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/deps"
	"github.com/muttproject/mutt/platform/slo"
	"github.com/muttproject/mutt/platform/store"
)

// Store gives MUTT's own counters, of all processes and since before any restart.
type Store interface {
	Sums(ctx context.Context, from, to int64) ([]store.KindSum, error)
}

// Counters are the needs of a report from MUTT's own counters.
type Counters struct {
	Store   Store
	Fold    func(context.Context) error // brings the queue's counters into the store
	Dynamic Dynamic
	Now     func() time.Time
}

// FromCounters makes a Report from MUTT's own counters.
func FromCounters(c Counters) *Report {
	deps.Must(c)
	return &Report{c.Dynamic, &counters{c}}
}

// counters is that source.
type counters struct{ Counters }

func (*counters) name() string { return "counters" }

// read asks the store once for each different window.
func (c *counters) read(ctx context.Context, questions []question) ([]reading, error) {
	if err := c.Fold(ctx); err != nil {
		return nil, err
	}
	to := c.Now().Unix()/60 + 1
	sums := map[time.Duration][]store.KindSum{}
	out := make([]reading, len(questions))
	for i, q := range questions {
		found, known := sums[q.window]
		if !known {
			var err error
			if found, err = c.Store.Sums(ctx, store.BooksFrom(to, q.window), to); err != nil {
				return nil, err
			}
			sums[q.window] = found
		}
		out[i] = q.measure.of(found)
	}
	return out, nil
}

// of picks what a measure counts.
func (m *measure) of(sums []store.KindSum) (r reading) {
	r.events = slo.Events{Good: m.good.total(sums), Bad: m.bad.total(sums)}
	for _, s := range sums {
		if b, known := bucketOf(s.Label); known && slices.Contains(m.latency.kinds, s.Kind) {
			r.latencies[b] += float64(s.N)
		}
	}
	return r
}

func (c *summands) total(sums []store.KindSum) (n float64) {
	for _, s := range sums {
		if slices.Contains(c.kinds, s.Kind) && (c.except == "" || s.Label != c.except) {
			n += float64(s.N)
		}
	}
	return n
}
