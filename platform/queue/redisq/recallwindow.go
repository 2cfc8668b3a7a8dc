package redisq

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/queue"
)

// keep puts an append that was just acknowledged into the window. Bodies are copied: what they were cut from may be much larger.
func (r *recall) keep(l *recallLane, p queue.AppendParams) {
	k := kept{params: p, from: l.acked, to: l.sent, at: r.now()}
	k.params.Cap, k.params.CapBytes, k.params.Intake = 0, 0, false // accepted is accepted
	k.params.Entries = slices.Clone(p.Entries)
	k.params.Counts = slices.Clone(p.Counts)
	for i := range k.params.Entries {
		e := &k.params.Entries[i]
		e.Body = bytes.Clone(e.Body)
		k.bytes += int64(len(e.Body))
	}
	l.acked = l.sent
	l.window = append(l.window, k)
	r.bytes.Add(k.bytes)
}

// forget drops what a sign of life shows to be safe, and the oldest of what is too much to keep.
func (r *recall) forget(l *recallLane, alive time.Time) {
	n := 0
	for n < len(l.window) && (l.window[n].at.Before(alive.Add(-recallWindow)) || r.bytes.Load() > r.maxBytes) {
		r.bytes.Add(-l.window[n].bytes)
		n++
	}
	l.window = slices.Delete(l.window, 0, n)
}

func eventsOf(entries []queue.Entry) (n int64) {
	for i := range entries {
		n += int64(entries[i].Events)
	}
	return n
}

// withoutRepeats takes the events that dup names out of an append of the ingest queue, and out of its counts.
func withoutRepeats(p *queue.AppendParams, dup *queue.DuplicateError) error {
	i := slices.IndexFunc(p.Entries, func(e queue.Entry) bool { return e.ID == dup.Entry })
	if i < 0 {
		return fmt.Errorf("leave out what came again: %w", dup)
	}
	e := &p.Entries[i]
	events, err := event.DecodeEvents(nil, e.Body)
	if err != nil {
		return fmt.Errorf("leave out what came again: %w", err)
	}
	var left []event.Event
	var keys []queue.Key
	for n := range events {
		if slices.Contains(dup.Indexes, n) {
			uncount(p.Counts, events[n].Source.String())
			continue
		}
		for _, k := range e.Keys {
			if k.Index == n {
				keys = append(keys, queue.Key{Index: len(left), Hash: k.Hash})
			}
		}
		left = append(left, events[n])
	}
	if len(left) == 0 {
		p.Entries = slices.Delete(p.Entries, i, i+1)
		return nil
	}
	e.Events, e.Keys, e.Body = len(left), keys, event.EncodeEvents(left)
	return nil
}

// uncount takes one event out of what was received.
func uncount(counts []queue.Count, source string) {
	for i := range counts {
		if c := &counts[i]; c.Kind == queue.CountReceived && c.Label == source {
			c.N--
			return
		}
	}
}
