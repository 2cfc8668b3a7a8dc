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
	samplesFresh  = 10 * time.Minute // after which they are read anew: what is too old goes then
)

// sample is the newest event of a host and mask.
type sample struct {
	id     event.ID
	event  event.Event
	events int // that it stands for
}

// samples are one event for each host and mask of a day, so that a draft can be tried on few events that stand for many. They are never
// changed once they are made.
type samples struct {
	made    time.Time // when they were read whole
	newest  event.ID
	from    time.Time // receipt of the oldest event that was looked at
	looked  int
	leftOut int
	byKey   map[string]*sample
}

// sampled returns the samples as of now. They are read by one call at a time; what came since they were read is added.
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
	if last != nil && now.Sub(last.made) < samplesFresh {
		next = &samples{made: last.made, newest: last.newest, from: last.from, looked: last.looked, leftOut: last.leftOut, byKey: maps.Clone(last.byKey)}
		f.Start = time.UnixMilli(millis(last.newest))
	}
	known, key := next.newest, []byte(nil)
	added := map[string]bool{}
	_, err := a.newestEvents(ctx, f, samplesLooked, func(_ context.Context, l *store.AuditLog) error {
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
		old := next.byKey[string(key)]
		switch {
		case old != nil && added[string(key)]: // newer ones of this walk came first
			old.events++
		case old != nil:
			added[string(key)] = true
			next.byKey[string(key)] = &sample{l.ID, e, old.events + 1}
		case len(next.byKey) >= samplesKept:
			next.leftOut++
		default:
			added[string(key)] = true
			next.byKey[string(key)] = &sample{l.ID, e, 1}
		}
		return nil
	})
	if err != nil {
		return nil, err
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
