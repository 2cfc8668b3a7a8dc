package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// attemptPause is the pause before the second attempt at an event; it doubles up to lastAttemptPause.
const (
	attemptPause     = 100 * time.Millisecond
	lastAttemptPause = 2 * time.Second
)

// note is the progress of an entry that is judged in parts, kept beside it in the queue.
//
// It is there before the store knows of the split: an entry with a note is never again judged as a whole.
type note struct {
	Next   int      `json:"next"`             // parts before it are settled
	Poison *verdict `json:"poison,omitempty"` // part Next is on its way to the dead letters
}

// PartID names part n of a split entry: UUIDv5(entry, n in decimal), RFC 9562 section 5.5.
func PartID(entry event.ID, n int) event.ID {
	return uuid.NewSHA1(entry, strconv.AppendInt(nil, int64(n), 10))
}

// splitting is the work on one entry in parts.
type splitting struct {
	*lane
	chunk *chunk
	it    *item
	judge judge
	note  note

	tries int // at part note.Next
	first time.Time
	last  error
}

// split judges an entry one event at a time. If it turns out to be known as a whole, it is published from its
// stored rows instead.
func (l *lane) split(ctx context.Context, c *chunk, it *item) error {
	s := &splitting{lane: l, chunk: c, it: it}
	l.troubles.split.Add(1, zap.Stringer("entry_id", it.claimed.Entry), zap.Int("deliveries", it.claimed.Deliveries), zap.Error(it.err))
	if it.claimed.Progress == nil {
		if err := s.progress(ctx); err != nil {
			return err
		}
	} else if err := json.Unmarshal(it.claimed.Progress, &s.note); err != nil {
		// Parts that were settled are known to the store, so starting over repeats nothing in the books.
		l.troubles.split.Add(1, zap.Stringer("entry_id", it.claimed.Entry), zap.NamedError("progress", err))
	}
	var judged bool
	err := l.always(ctx, "record a split entry", func() (err error) {
		judged, err = l.p.Store.Split(ctx, it.claimed.Entry)
		return err
	})
	switch {
	case err != nil:
		return err
	case judged:
		return s.publishStored(ctx)
	default:
		return s.parts(ctx)
	}
}

// publishStored serves an entry that was judged as a whole by a holder that did not come to settle it.
func (s *splitting) publishStored(ctx context.Context) error {
	u := &s.it.unit
	u.decisions = make([]event.Decision, len(u.events))
	if err := s.recall(ctx, s.chunk, u); err != nil {
		return err
	}
	return s.finish(ctx, s.chunk, []*unit{u}, queue.Settlement{Ack: []event.ID{s.it.claimed.Entry}})
}

// parts goes through the events in order, as many at a time as go well together.
func (s *splitting) parts(ctx context.Context) error {
	n := len(s.it.unit.events)
	if s.note.Next >= n {
		return s.settle(ctx, n, nil)
	}
	for s.note.Next < n {
		if s.note.Poison != nil {
			if err := s.bury(ctx); err != nil {
				return err
			}
			continue
		}
		end := n
		if s.tries > 0 {
			end = s.note.Next + 1
			if sleep(ctx, min(attemptPause<<(s.tries-1), lastAttemptPause)) != nil {
				return errLost
			}
		}
		units, err := s.units(end)
		if len(units) > 0 {
			err = s.commit(ctx, units)
		}
		if errors.Is(err, errLost) {
			return err
		}
		if err != nil {
			if err := s.failed(ctx, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// units judges the events from note.Next up to end, each for itself, and stops before the first that panics. The
// error is that of the first event, when there is no unit.
func (s *splitting) units(end int) ([]*unit, error) {
	var units []*unit
	for i := s.note.Next; i < end; i++ {
		u := &unit{id: PartID(s.it.claimed.Entry, i), events: s.it.unit.events[i : i+1 : i+1]}
		if err := guard(func() { s.judge.decide(u, &s.chunk.terms) }); err != nil {
			s.judge = judge{}
			if len(units) == 0 {
				return nil, err
			}
			return units, nil
		}
		u.book(&s.chunk.terms)
		units = append(units, u)
	}
	return units, nil
}

// commit commits units, or the first half of them, or the first quarter, …; its error is that of the first unit.
func (s *splitting) commit(ctx context.Context, units []*unit) error {
	for {
		err := s.record(ctx, s.chunk, units)
		switch {
		case err == nil:
			return s.settle(ctx, s.note.Next+len(units), units)
		case errors.Is(err, errLost), len(units) == 1:
			return err
		}
		units = units[:len(units)/2]
	}
}

// settle settles the parts before next: as progress, or as the end of the entry.
func (s *splitting) settle(ctx context.Context, next int, units []*unit) error {
	s.note, s.tries = note{Next: next}, 0
	step := queue.Settlement{}
	if next >= len(s.it.unit.events) {
		step.Ack = []event.ID{s.it.claimed.Entry}
	} else {
		step.Progress = s.notes()
	}
	if len(units) == 0 {
		return s.always(ctx, "settle a split entry", func() error { return s.holder.Settle(ctx, step) })
	}
	return s.finish(ctx, s.chunk, units, step)
}

// failed counts an attempt at part note.Next. After the last one the verdict is noted before it is carried out. Values that
// the store refuses will be refused again: the first attempt is the last one.
func (s *splitting) failed(ctx context.Context, err error) error {
	if s.tries == 0 {
		s.first = s.p.Now()
	}
	s.tries++
	e := &s.it.unit.events[s.note.Next]
	fields := []zap.Field{zap.Stringer("event_id", e.ID), zap.String("correlation_id", e.CorrelationID), zap.Int("attempt", s.tries), zap.Error(err)}
	var p *panicError
	if errors.As(err, &p) {
		fields = append(fields, zap.ByteString("stack", p.stack))
	}
	if s.tries < int(s.p.Dynamic.MaxRetries.Get()) && !fault.Is(err, fault.ValueRefused) {
		s.troubles.unjudged.Add(1, fields...)
		return nil
	}
	s.troubles.poison.Add(1, fields...)
	s.note.Poison = &verdict{Reason: err.Error(), Attempts: s.tries, First: event.Micros(s.first), Replays: s.it.claimed.Replays}
	return s.progress(ctx)
}

// bury dead-letters part note.Next: its fate is stored, with a row if the store takes one.
func (s *splitting) bury(ctx context.Context) error {
	i := s.note.Next
	u := &unit{id: PartID(s.it.claimed.Entry, i), events: s.it.unit.events[i : i+1 : i+1], poison: s.note.Poison}
	u.decisions = []event.Decision{{Fate: event.FatePoison}}
	u.book(&s.chunk.terms)
	err := s.record(ctx, s.chunk, []*unit{u})
	if err != nil && !errors.Is(err, errLost) {
		u.rows = nil // the books need its fate even if its row cannot be written
		err = s.always(ctx, "store the fate of an event", func() error { return s.record(ctx, s.chunk, []*unit{u}) })
	}
	if err != nil {
		return err
	}
	return s.settle(ctx, i+1, []*unit{u})
}

// progress stores the note.
func (s *splitting) progress(ctx context.Context) error {
	notes := s.notes()
	return s.always(ctx, "note the progress of a split entry", func() error {
		return s.holder.Settle(ctx, queue.Settlement{Progress: notes})
	})
}

func (s *splitting) notes() []queue.Progress {
	text, err := json.Marshal(&s.note)
	if err != nil {
		panic("worker: a note is plain data: " + err.Error())
	}
	return []queue.Progress{{Entry: s.it.claimed.Entry, Note: text}}
}
