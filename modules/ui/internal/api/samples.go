package api

import (
	"bytes"
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/rule"
	"github.com/muttproject/mutt/platform/store"
)

// Bounds of the samples.
const (
	samplesSpan   = 24 * time.Hour
	samplesLooked = 100_000
	samplesKept   = 20_000
	samplesBytes  = 16 << 20         // the process holds twice as much while they are read again and other calls still use the old ones
	samplesFresh  = 10 * time.Minute // after which they are read anew: what is too old goes then
)

// sample is the newest event of a host and mask.
type sample struct {
	id     event.ID
	event  event.Event
	events int // that it stands for
}

// size returns about how many bytes a sample with its key takes.
func (s *sample) size(key []byte) int {
	const fixed = 512 // the event itself, and its place in the map
	e := &s.event
	return fixed + len(key) + len(e.Hostname) + len(e.Message) + len(e.TrapOID) + len(e.SourceIP) + len(e.AppName)
}

// samples are one event for each host and mask of a day, so that a draft can be tried on few events that stand for many. They are never
// changed once they are made.
type samples struct {
	made    time.Time // when they were read whole
	newest  event.ID
	from    time.Time // receipt of the oldest event that was looked at
	looked  int
	leftOut int // events of pairs that are not kept
	bytes   int // of what is kept
	byKey   map[string]*sample
}

// sampled returns the samples as of now. They are read by one call at a time, in half the time that it has, so that what was read until then
// serves it and the next ones; what came since they were read is added.
func (a *API) sampled(ctx context.Context) (*samples, error) {
	select {
	case a.sampling <- struct{}{}:
		defer func() { <-a.sampling }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	now, last := a.Now(), a.samples.Load()
	next := &samples{made: now, byKey: map[string]*sample{}, from: now}
	f := store.AuditFilter{Start: now.Add(-samplesSpan)}
	added := map[string]bool{}
	isMore := last != nil && now.Sub(last.made) < samplesFresh
	if isMore {
		next = &samples{made: last.made, newest: last.newest, from: last.from, looked: last.looked, leftOut: last.leftOut, bytes: last.bytes, byKey: maps.Clone(last.byKey)}
		f.Start = time.UnixMilli(millis(last.newest))
	} else {
		a.samples.Store(nil) // so that no more than one older generation is held beside the one that is read
	}
	reading, done := context.WithTimeout(ctx, a.TryoutTime/2)
	defer done()
	known, key := next.newest, []byte(nil)
	looked, err := a.newestEvents(reading, f, samplesLooked, func(_ context.Context, l *store.AuditLog) error {
		if bytes.Compare(l.ID[:], known[:]) <= 0 {
			return nil // looked at before
		}
		if bytes.Compare(l.ID[:], next.newest[:]) > 0 {
			next.newest = l.ID
		}
		if l.ReceivedAt.Before(next.from) {
			next.from = l.ReceivedAt.UTC()
		}
		next.looked++
		e, ok := auditedEvent(l)
		if !ok {
			return nil
		}
		key = append(event.AppendFoldedHost(key[:0], e.Hostname), 0)
		key = rule.AppendMask(key, e.Message)
		s, old := &sample{l.ID, e, 1}, next.byKey[string(key)]
		grows := s.size(key)
		if old != nil {
			s.events, grows = old.events+1, grows-old.size(key)
		}
		switch {
		case old != nil && added[string(key)]: // newer ones of this walk came first
			old.events++
			return nil
		case old == nil && (len(next.byKey) >= samplesKept || next.bytes+grows > samplesBytes):
			next.leftOut++
			return nil
		case next.bytes+grows > samplesBytes: // the older event, which is shorter, still stands for the pair
			s.id, s.event, grows = old.id, old.event, 0
		}
		added[string(key)] = true
		next.byKey[string(key)], next.bytes = s, next.bytes+grows
		return nil
	})
	if err != nil && (ctx.Err() != nil || reading.Err() == nil) {
		return nil, err
	}
	if isMore && (err != nil || looked >= samplesLooked) {
		next.made = time.Time{} // some between these and those before were not looked at
	}
	a.samples.Store(next)
	return next, nil
}

func millis(id uuid.UUID) (ms int64) {
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms
}
