package worker

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/modules/alert/internal/unhandled"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
	"github.com/muttproject/mutt/platform/store"
)

// newerDelay is how long an entry of a newer version is left alone: until this process is updated.
const newerDelay = 30 * time.Second

// commitChunk is stage 2. Ordinary items that follow each other share a transaction; the odd ones are taken alone,
// each in its place, so that the order of the queue is kept.
func (l *lane) commitChunk(ctx context.Context, c *chunk) error {
	items := c.items[:c.used]
	for len(items) > 0 {
		n := 0
		for n < len(items) && items[n].kind == ordinary {
			n++
		}
		if n > 0 {
			if err := l.commitItems(ctx, c, items[:n]); err != nil {
				return err
			}
		} else {
			n = 1
			if err := l.commitOdd(ctx, c, items[0]); err != nil {
				return err
			}
		}
		items = items[n:]
	}
	return nil
}

func (l *lane) commitOdd(ctx context.Context, c *chunk, it *item) error {
	switch it.kind {
	case newer:
		l.troubles.newer.Add(1, zap.Stringer("entry_id", it.claimed.Entry))
		return l.always(ctx, "give back an entry of a newer version", func() error {
			return l.holder.Release(ctx, queue.Giveback{Entries: []event.ID{it.claimed.Entry}, Delay: newerDelay, Reason: it.err.Error()})
		})
	case corrupt:
		return l.bury(ctx, c, it)
	default:
		return l.split(ctx, c, it)
	}
}

// commitItems commits ordinary items in one transaction. If that fails for a reason of its own, each is tried alone,
// and one that fails alone is judged in parts.
func (l *lane) commitItems(ctx context.Context, c *chunk, items []*item) error {
	units, acks := make([]*unit, len(items)), make([]event.ID, len(items))
	for i, it := range items {
		units[i], acks[i] = &it.unit, it.claimed.Entry
	}
	err := l.record(ctx, c, units)
	switch {
	case err == nil:
		return l.finish(ctx, c, units, queue.Settlement{Ack: acks})
	case errors.Is(err, errLost):
		return err
	case len(items) == 1:
		items[0].err = err
		return l.split(ctx, c, items[0])
	}
	for i := range items {
		if err := l.commitItems(ctx, c, items[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// record stores the outcome of units in one transaction, and brings those that were known to what was stored. Its
// error is errLost or a reason of the units' own.
func (l *lane) record(ctx context.Context, c *chunk, units []*unit) error {
	entries := make([]store.JudgedEntry, len(units))
	for i, u := range units {
		entries[i] = store.JudgedEntry{Entry: u.id, Rows: u.rows, Counts: u.counts}
	}
	var known []event.ID
	err := l.insist(ctx, "store judged events", func() (err error) {
		began := time.Now()
		known, err = l.p.Store.Judge(ctx, l.p.Process, entries)
		l.p.Metrics.dbWrite.Observe(float64(time.Since(began).Microseconds()) / 1000)
		return err
	})
	if err != nil || len(known) == 0 {
		return err
	}
	had := make(map[event.ID]bool, len(known))
	for _, id := range known {
		had[id] = true
	}
	for _, u := range units {
		if had[u.id] {
			if err := l.recall(ctx, c, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// recall brings a known unit to its stored decisions: what is published follows them, whatever the rules say now.
func (l *lane) recall(ctx context.Context, c *chunk, u *unit) error {
	ids := make([]event.ID, len(u.events))
	for i := range u.events {
		ids[i] = u.events[i].ID
	}
	var stored map[event.ID]event.Decision
	err := l.always(ctx, "read stored decisions", func() (err error) {
		stored, err = l.p.Store.Decisions(ctx, ids)
		return err
	})
	if err != nil {
		return err
	}
	u.recall(stored, c.terms.team)
	u.tallies = l.collector.Collect(u.tallies[:0], u.events, u.decisions)
	return nil
}

// finish counts the unhandled events of recorded units and settles: publication, dead letters and step (an
// acknowledgement or a note of progress) are one.
func (l *lane) finish(ctx context.Context, c *chunk, units []*unit, step queue.Settlement) error {
	due, err := l.countUnhandled(ctx, units)
	if err != nil {
		return err
	}
	now := l.p.Now()
	l.out.reset(units[0].id)
	for _, u := range units {
		l.out.unit(u, now)
	}
	for i := range due {
		a := due[i].Alert(now, c.terms.team)
		l.out.add(&a.Event, &a.Decision)
		l.out.meta++
	}
	step.Publish, step.Dead, step.Counts = l.out.entries(), l.out.dead, l.out.counts(now.Unix()/60)
	if err := l.always(ctx, "settle judged entries", func() error { return l.holder.Settle(ctx, step) }); err != nil {
		return err
	}
	for _, u := range units {
		l.p.Metrics.count(u.decisions)
		l.p.Busiest.Add(u.events, u.decisions)
	}
	l.p.Metrics.metaAlerts.Add(float64(len(due)))
	l.p.Metrics.judged.Add(&l.out.latency)
	l.p.Metrics.latency.Observe(l.p.Now().Sub(c.began).Seconds())
	if len(due) == 0 {
		return nil
	}
	return l.always(ctx, "mark unhandled windows", func() error { return l.counters.Mark(ctx, due) })
}

// countUnhandled counts and gives the windows whose meta-alert is due. A reason of its own must not hold up
// judging: it is logged, and the events stay uncounted.
func (l *lane) countUnhandled(ctx context.Context, units []*unit) (due []unhandled.Window, err error) {
	l.uncounted = l.uncounted[:0]
	for _, u := range units {
		if len(u.tallies) > 0 {
			l.uncounted = append(l.uncounted, unhandled.Entry{ID: u.id, Tallies: u.tallies})
		}
	}
	if len(l.uncounted) == 0 {
		return nil, nil
	}
	keys := l.p.Dynamic
	err = l.insist(ctx, "count unhandled events", func() (err error) {
		due, err = l.counters.Count(ctx, l.uncounted, keys.UnhandledThreshold.Get(), keys.UnhandledExpiry.Get())
		return err
	})
	if err != nil && !errors.Is(err, errLost) {
		l.troubles.uncounted.Add(1, zap.Error(err))
		return nil, nil
	}
	return due, err
}

// bury dead-letters an entry whose bytes are no batch, whole. Its events are in the books as poison of no source.
func (l *lane) bury(ctx context.Context, c *chunk, it *item) error {
	id := it.claimed.Entry
	l.troubles.poison.Add(int64(max(it.claimed.Events, 1)), zap.Stringer("entry_id", id), zap.Error(it.err))
	u := &unit{id: id, counts: []store.LedgerCount{{Minute: l.p.Now().Unix() / 60, Fate: event.FatePoison, N: int64(it.claimed.Events)}}}
	if err := l.always(ctx, "store the fate of a corrupt entry", func() error { return l.record(ctx, c, []*unit{u}) }); err != nil {
		return err
	}
	now := l.p.Now()
	return l.always(ctx, "dead-letter a corrupt entry", func() error {
		return l.holder.Settle(ctx, queue.Settlement{Ack: []event.ID{id}, Dead: []queue.DeadLetter{{ID: id, Queue: queue.Ingest,
			Body: it.claimed.Body, Code: queue.DeadPoison, Reason: it.err.Error(), Attempts: it.claimed.Deliveries, Replays: it.claimed.Replays, First: now}}})
	})
}
