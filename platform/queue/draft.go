package queue

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
)

// The states of a submission.
const (
	subWaiting int32 = iota
	subTaken         // it is being written
	subWithdrawn
)

// submission is what one call brings for one partition.
type submission struct {
	partition int
	items     []Item
	index     []int    // of each item in the call; nil when it is the same
	drafts    []*draft // sealed by the caller; nil for few items, which share an entry with others
	bytes     int64
	state     atomic.Int32
	done      chan struct{}
	failed    map[int]error // by index in the call; written before done
}

func (s *submission) fail(i int, err error) {
	if s.failed == nil {
		s.failed = map[int]error{}
	}
	if s.index != nil {
		i = s.index[i]
	}
	s.failed[i] = err
}

func (s *submission) failAll(err error) {
	for i := range s.items {
		s.fail(i, err)
	}
}

// submissions groups items by partition. Who brings many seals them here, in the own goroutine: compression is the
// dearest part of writing.
func (w *Writer) submissions(items []Item) ([]*submission, error) {
	var subs []*submission
	alone := true
	for i := range items {
		p := items[i].Partition
		if p < 0 || p >= len(w.lanes) {
			return nil, fault.New(fault.Internal, "there is no partition %d", p)
		}
		alone = alone && p == items[0].Partition
	}
	if alone {
		subs = []*submission{{partition: items[0].Partition, items: items}}
	} else {
		subs = split(items, len(w.lanes))
	}
	for _, s := range subs {
		s.done = make(chan struct{}, 1)
		for i := range s.items {
			s.bytes += int64(len(s.items[i].Record))
		}
		if len(s.items) >= TargetEvents/2 || s.bytes >= TargetBytes/2 {
			own := press{queue: w.opts.Queue, partition: s.partition}
			own.add(s)
			s.drafts = own.finish()
		}
	}
	return subs, nil
}

// split sorts items by partition, in memory that is allocated once: the parts are sections of it.
func split(items []Item, partitions int) (subs []*submission) {
	counts := make([]int, partitions)
	for i := range items {
		counts[items[i].Partition]++
	}
	byPartition := make([]*submission, partitions)
	sorted, index, at := make([]Item, len(items)), make([]int, len(items)), 0
	for i := range items {
		p := items[i].Partition
		s := byPartition[p]
		if s == nil {
			end := at + counts[p]
			s = &submission{partition: p, items: sorted[at:at:end], index: index[at:at:end]}
			byPartition[p], at = s, end
			subs = append(subs, s)
		}
		s.items = append(s.items, items[i])
		s.index = append(s.index, i)
	}
	return subs
}

// outcome puts the parts of a call together.
func outcome(subs []*submission, items int) error {
	var failed map[int]error
	for _, s := range subs {
		if failed == nil {
			failed = s.failed
			continue
		}
		for i, err := range s.failed {
			failed[i] = err
		}
	}
	if len(failed) == 0 {
		return nil
	}
	if len(failed) == items {
		first, same := failed[0], true
		for _, err := range failed {
			same = same && err == first
		}
		if same && !fault.Is(first, fault.DuplicateKey) {
			return first
		}
	}
	return &PartialError{Failed: failed}
}

// slot is one event of a draft: item i of a submission.
type slot struct {
	s *submission
	i int
}

func (s slot) item() *Item { return &s.s.items[s.i] }

// draft is an entry on its way.
type draft struct {
	entry Entry
	slots []slot
	size  int // bytes of records
}

func (d *draft) fail(err error) {
	for _, s := range d.slots {
		s.s.fail(s.i, err)
	}
}

// press makes entries of items for one partition.
type press struct {
	queue     Name
	partition int
	open      *draft
	ready     []*draft
	scratch   []byte
}

// entries makes the drafts of submissions, in their order.
func (p *press) entries(subs []*submission) []*draft {
	for _, s := range subs {
		if s.drafts == nil {
			p.add(s)
			continue
		}
		p.cut() // what came before stays before
		p.ready = append(p.ready, s.drafts...)
	}
	return p.finish()
}

// add puts the items of a submission into drafts.
func (p *press) add(s *submission) {
	for i := range s.items {
		n := len(s.items[i].Record)
		if d := p.open; d != nil && (len(d.slots) == TargetEvents || d.size+n > TargetBytes) {
			p.cut()
		}
		if p.open == nil {
			p.open = &draft{slots: make([]slot, 0, min(len(s.items)-i, TargetEvents))}
		}
		p.open.slots = append(p.open.slots, slot{s, i})
		p.open.size += n
	}
}

// cut closes the open draft.
func (p *press) cut() {
	d := p.open
	if d == nil {
		return
	}
	p.open = nil
	if p.seal(d); len(d.entry.Body) > MaxBody {
		d.fail(fault.New(fault.TooLarge, "an event of %d bytes is too large for the queue", d.size))
		return
	}
	p.ready = append(p.ready, d)
}

// finish gives what is ready, the open draft included.
func (p *press) finish() []*draft {
	p.cut()
	ready := p.ready
	p.ready = nil
	return ready
}

// seal makes a draft's entry, with a new id.
func (p *press) seal(d *draft) {
	p.scratch = slices.Grow(p.scratch[:0], d.size)
	var keys []Key
	for n, s := range d.slots {
		it := s.item()
		p.scratch = append(p.scratch, it.Record...)
		if it.HasKey {
			keys = append(keys, Key{Index: n, Hash: it.Key})
		}
	}
	body := event.Seal
	if p.queue == Alert {
		body = event.SealAlerts
	}
	d.size = len(p.scratch)
	d.entry = Entry{ID: NewEntryID(), Queue: p.queue, Partition: p.partition, Events: len(d.slots),
		Body: body(p.scratch, len(d.slots)), Keys: keys}
}

// withoutRepeats takes out what err says was accepted before; ok is false when err says something else.
func (p *press) withoutRepeats(drafts []*draft, err error) (rest []*draft, ok bool) {
	var dup *DuplicateError
	if !errors.As(err, &dup) {
		return nil, false
	}
	repeat := map[int]bool{}
	for _, i := range dup.Indexes {
		repeat[i] = true
	}
	for _, d := range drafts {
		if d.entry.ID != dup.Entry {
			rest = append(rest, d)
			continue
		}
		var kept []slot
		for n, s := range d.slots {
			if !repeat[n] {
				kept = append(kept, s)
				continue
			}
			ok = true
			s.s.fail(s.i, fault.New(fault.DuplicateKey, "this event was accepted before"))
		}
		if d.slots = kept; len(kept) > 0 {
			p.seal(d)
			rest = append(rest, d)
		}
	}
	return rest, ok
}

// counts says how many events of each source are in drafts.
func (p *press) counts(drafts []*draft, minute int64) []Count {
	if p.queue == Alert {
		n := 0
		for _, d := range drafts {
			n += len(d.slots)
		}
		return []Count{{Minute: minute, Kind: CountMeta, N: int64(n)}}
	}
	var bySource [256]int64
	for _, d := range drafts {
		for _, s := range d.slots {
			bySource[s.item().Source]++
		}
	}
	var counts []Count
	for source, n := range bySource {
		if n > 0 {
			counts = append(counts, Count{Minute: minute, Kind: CountReceived, Label: event.Source(source).String(), N: n})
		}
	}
	return counts
}
