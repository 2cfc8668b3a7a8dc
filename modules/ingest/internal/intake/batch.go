package intake

import (
	"context"
	"unsafe"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// Batch gathers the events of one submission, already encoded. Not safe for concurrent use.
type Batch struct {
	in       *Intake
	source   event.Source
	now      int64 // Unix µs, the receipt of all its events
	admitted bool  // the rate limit was asked
	repaired int   // events with a text that was not clean
	buf      []byte
	recs     []rec
	items    []queue.Item
	failed   map[int]error // by position
	scratch  [36]byte
}

// rec is one encoded event: buf[start:end]. A refused event has start == end.
type rec struct {
	start, end int
	partition  int
	key        [16]byte
	hasKey     bool
}

// Add encodes an event. It stamps ID (UUIDv7), ReceivedAt and Source into e, and for the encoding a Timestamp
// (that of the receipt) and a CorrelationID (the text of the ID) where e has none. Texts are cleaned and
// names cut (ADR 27), in e too. key, when not nil, is the sender's idempotency key. e and what its strings point to may be reused afterwards.
// An event over Limits.MaxEvent is refused: Submit reports it under its position.
func (b *Batch) Add(e *event.Event, key *[16]byte) {
	e.ID, e.ReceivedAt, e.Source = b.in.ids.next(b.now), b.now, b.source
	if cleanEvent(e, b.in.limits.MaxEvent) {
		b.repaired++
	}
	timestamp, correlation := e.Timestamp, e.CorrelationID
	if timestamp == 0 {
		e.Timestamp = b.now
	}
	if correlation == "" {
		e.CorrelationID = b.idText(e.ID)
	}
	r := rec{start: len(b.buf)}
	// The sum of the texts bounds what AppendRecord writes, so that an absurd event is never encoded.
	if size(e) <= b.in.limits.MaxEvent {
		b.buf = event.AppendRecord(b.buf, e)
	}
	r.end = len(b.buf)
	if n := r.end - r.start; n == 0 || n > b.in.limits.MaxEvent {
		b.buf, r.end = b.buf[:r.start], r.start
		b.refuse(fault.New(fault.TooLarge, "an event may be %d bytes long", b.in.limits.MaxEvent))
	}
	e.Timestamp, e.CorrelationID = timestamp, correlation
	r.partition = b.in.deps.Partition(e.Hostname)
	if key != nil {
		r.key, r.hasKey = *key, true
	}
	b.recs = append(b.recs, r)
}

// refuse notes an error for the event that is being added.
func (b *Batch) refuse(err error) {
	if b.failed == nil {
		b.failed = map[int]error{}
	}
	b.failed[len(b.recs)] = err
}

// idText writes an ID's text form into the batch's scratch space: valid until the next call.
func (b *Batch) idText(id event.ID) string {
	const hex = "0123456789abcdef"
	at := 0
	for i, c := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b.scratch[at] = '-'
			at++
		}
		b.scratch[at], b.scratch[at+1] = hex[c>>4], hex[c&15]
		at += 2
	}
	return unsafe.String(&b.scratch[0], len(b.scratch))
}

// Len gives how many events were added, refused ones included.
func (b *Batch) Len() int { return len(b.recs) }

// Admit takes n events from the rate limit ahead of Submit, which then does not ask again. A listener that
// must answer "too fast" before it looks at values uses it (the order of checks in behaviour.md).
func (b *Batch) Admit(ctx context.Context, n int) error {
	err := b.in.admit(ctx, n)
	b.admitted = err == nil
	return err
}

// Discard gives the batch back without storing it.
func (b *Batch) Discard() {
	if cap(b.buf) > maxPooled {
		b.buf = nil
	}
	clear(b.items)
	b.buf, b.recs, b.items = b.buf[:0], b.recs[:0], b.items[:0]
	b.admitted, b.repaired, b.failed = false, 0, nil
	b.in.pool.Put(b)
}

// build lists the encoded events; their records share the batch's buffer.
func (b *Batch) build() []queue.Item {
	b.items = b.items[:0]
	for i := range b.recs {
		r := &b.recs[i]
		if r.start == r.end {
			continue
		}
		b.items = append(b.items, queue.Item{Partition: r.partition, Record: b.buf[r.start:r.end:r.end],
			Source: b.source, Key: r.key, HasKey: r.hasKey})
	}
	return b.items
}

// position gives the position of item i: refused events have no item.
func (b *Batch) position(i int) int {
	if len(b.items) == len(b.recs) {
		return i
	}
	for p := range b.recs {
		if b.recs[p].start == b.recs[p].end {
			continue
		}
		if i == 0 {
			return p
		}
		i--
	}
	return len(b.recs)
}
