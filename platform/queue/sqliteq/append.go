package sqliteq

import (
	"context"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// keyLife is how long a sender's idempotency key is known.
const keyLife = 24 * time.Hour

// Append stores entries, all of them or none.
func (d *Driver) Append(ctx context.Context, p queue.AppendParams) error {
	if err := queue.CheckEntries(p.Entries); err != nil {
		return err
	}
	if len(p.Entries) == 0 && len(p.Counts) == 0 {
		return d.open()
	}
	return d.do(ctx, false, func(t *tx) error { return t.append(&p) })
}

func (t *tx) append(p *queue.AppendParams) error {
	repeat, fresh, err := t.fresh(p.Entries)
	if err != nil {
		return err
	}
	if len(fresh) > 0 {
		name := fresh[0].Queue
		d := depth(t.w.lanes, name, t.at)
		more := total(fresh)
		if p.Cap > 0 && d.Live()+more.events > p.Cap {
			return queue.OverEvents(name, d.Live(), more.events, p.Cap)
		}
		if p.CapBytes > 0 && d.Bytes+more.bytes > p.CapBytes {
			return queue.OverBytes(name, d.Bytes, more.bytes, p.CapBytes)
		}
		if p.Intake && !t.w.d.opts.Room.Take(2*bodies(fresh)+demand(more)) { // a body is in the log and in the file
			return queue.NoRoom(queue.FullDisk, "the disk is full up to its reserve: no events are taken in",
				"send again after Retry-After; free space on the disk of the data directory")
		}
	}
	if err := t.insert(fresh); err != nil || repeat {
		return err
	}
	return t.count(p.Process, p.Counts)
}

// total sums up entries that are to be stored.
func total(entries []queue.Entry) (sum tally) {
	for i := range entries {
		sum.add(1, int64(entries[i].Events), queue.SizeOf(entries[i].Body))
	}
	return sum
}

// demand is what events need on the disk when they are judged: their audit rows, in the log and in the file of the store.
func demand(t tally) int64 {
	const row = 1 << 10 // beside the text: two copies of the row's other columns and of its places in the indexes
	return 2*t.bytes + row*t.events
}

func bodies(entries []queue.Entry) (sum int64) {
	for i := range entries {
		sum += int64(len(entries[i].Body))
	}
	return sum
}

// fresh returns the entries that are not stored yet. repeat says that some were: this call was made before.
func (t *tx) fresh(entries []queue.Entry) (repeat bool, fresh []queue.Entry, err error) {
	fresh = entries
	for i := range entries {
		e := &entries[i]
		var one int
		found, err := t.row(t.w.stmts.stored, []any{e.ID[:]}, &one)
		if err != nil {
			return false, nil, fmt.Errorf("look for entry %s: %w", e.ID, err)
		}
		switch {
		case found && !repeat:
			repeat, fresh = true, append([]queue.Entry(nil), entries[:i]...)
		case !found && repeat:
			fresh = append(fresh, *e)
		}
	}
	return repeat, fresh, nil
}

// insert stores new entries of one partition.
func (t *tx) insert(entries []queue.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l, err := t.lane(entries[0].Queue, entries[0].Partition)
	if err != nil {
		return err
	}
	now := t.now()
	for i := range entries {
		if err := t.keys(&entries[i], now); err != nil {
			return err
		}
		if err := t.store(l, &entries[i], now, past{}); err != nil {
			return err
		}
	}
	return nil
}

// past is what an entry keeps of the dead letter that it was.
type past struct {
	attempts, replays int64
	reason            string
}

// store writes one entry at the end of a lane.
func (t *tx) store(l *lane, e *queue.Entry, now int64, p past) error {
	seq, s, size := t.w.nextSeq, t.w.stmts, queue.SizeOf(e.Body)
	if _, err := t.exec(s.insert, seq, e.ID[:], l.id, e.Events, p.attempts, now, p.reason, p.replays, size); err != nil {
		return fmt.Errorf("store entry %s: %w", e.ID, err)
	}
	body := e.Body
	if body == nil {
		body = []byte{} // nil would be NULL
	}
	if _, err := t.exec(s.insertBody, seq, body); err != nil {
		return fmt.Errorf("store the body of entry %s: %w", e.ID, err)
	}
	t.w.nextSeq++
	if l.ready.entries+l.claimed.entries == 0 {
		l.oldest = now
	}
	l.ready.add(1, int64(e.Events), size)
	return nil
}

// keys remembers the senders' keys of an entry, or says which of them are known. A key that this very entry
// brought before is no repeat: the whole entry is.
func (t *tx) keys(e *queue.Entry, now int64) error {
	var known []int
	for _, k := range e.Keys {
		n, err := t.exec(t.w.stmts.key, k.Hash[:], e.ID[:], k.Index, now, now-keyLife.Microseconds())
		if err != nil {
			return fmt.Errorf("remember a key of entry %s: %w", e.ID, err)
		}
		if n == 0 {
			known = append(known, k.Index)
		}
	}
	if len(known) > 0 {
		return &queue.DuplicateError{Entry: e.ID, Indexes: known}
	}
	return nil
}

func (t *tx) count(process string, counts []queue.Count) error {
	for _, c := range counts {
		if _, err := t.exec(t.w.stmts.count, c.Minute, process, c.Kind, c.Label, c.N); err != nil {
			return fmt.Errorf("count %s: %w", c.Kind, err)
		}
	}
	return nil
}
