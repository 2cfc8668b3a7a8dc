package redisq

import (
	"context"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// markLife is how long the mark of a process stays that appends nothing.
const markLife = 90 * 24 * time.Hour

// Append stores entries, all of them or none. The cap is exact within the partition; what others hold is known as of 200 ms ago
// (see load), so that the queue may exceed its cap by what was appended elsewhere in that time. Idempotency keys are
// known per partition, that is: per hostname.
func (d *Driver) Append(ctx context.Context, p queue.AppendParams) error {
	if err := queue.CheckEntries(p.Entries); err != nil {
		return err
	}
	switch {
	case len(p.Entries) == 0 && len(p.Counts) == 0:
		return d.open()
	case len(p.Entries) == 0 || d.recall == nil:
		return d.appendMarked(ctx, p, mark{})
	default:
		return d.recall.append(ctx, p)
	}
}

// appendMarked is Append with a mark; the zero one is none.
func (d *Driver) appendMarked(ctx context.Context, p queue.AppendParams, m mark) error {
	q, partition := queue.Ingest, 0 // counts alone go anywhere
	if len(p.Entries) > 0 {
		q, partition = p.Entries[0].Queue, p.Entries[0].Partition
	}
	k, err := d.partition(partition)
	if err != nil {
		return err
	}
	var elsewhere held
	if p.Cap > 0 || p.CapBytes > 0 {
		elsewhere = d.elsewhere(ctx, q, partition)
	}
	room := int64(1)
	if p.Intake && !d.memory.take(ctx, partition, costOf(p.Entries)) {
		room = 0
	}
	c := d.call().num(timestamp(d.opts.Now())).num(p.Cap).num(elsewhere.events).num(p.CapBytes).num(elsewhere.bytes).num(room).num(m.low).num(m.to).num(markLife.Milliseconds())
	c.key(k.lane(q).light()...).key(k.minutes, k.mark(q, d.id)).num(int64(len(p.Entries)))
	for i := range p.Entries {
		c.entry(k, &p.Entries[i])
	}
	r, err := d.run(ctx, d.scripts.append, "append to the queue", c.counts(k, p.Process, p.Counts))
	if p.Intake && overLimit(err) {
		d.memory.look(ctx, partition)
		return noRoom()
	}
	if err != nil {
		return err
	}
	switch r.word {
	case "FULL":
		return queue.OverEvents(q, r.int(0), r.int(1), p.Cap)
	case "LARGE":
		return queue.OverBytes(q, r.int(0), r.int(1), p.CapBytes)
	case "RESERVE":
		return noRoom()
	case "BACK":
		return &rollback{mark: r.int(0)}
	case "REPEAT":
		dup := &queue.DuplicateError{Entry: r.id(0)}
		for i := range r.rest[1:] {
			dup.Indexes = append(dup.Indexes, int(r.int(i+1)))
		}
		return dup
	}
	return r.refused(queue.Lease{})
}

// noRoom is the refusal of events by a Redis that has no more than its reserve.
func noRoom() error {
	return queue.NoRoom(queue.FullRedis, "Redis is full up to its reserve: no events are taken in", memoryRemedy)
}

// costOf is what Redis needs for entries, in bytes.
func costOf(entries []queue.Entry) (sum int64) {
	for i := range entries {
		sum += int64(len(entries[i].Body)) + entryCost
	}
	return sum
}

// readMark gives this process' mark of a lane, 0 when there is none.
func (d *Driver) readMark(ctx context.Context, q queue.Name, partition int) (int64, error) {
	k, err := d.partition(partition)
	if err != nil {
		return 0, err
	}
	r, err := d.command(ctx, "read a mark", d.client.B().Get().Key(k.mark(q, d.id)).Build())
	if err != nil || nothing(r.Error()) {
		return 0, err
	}
	at, err := r.AsInt64()
	if err != nil {
		return 0, unavailable(err, "read a mark")
	}
	return at, nil
}

// entry gives an entry with its senders' keys.
func (c *call) entry(k *partitionKeys, e *queue.Entry) {
	c.bytes(e.ID[:]).num(int64(e.Events)).body(e.Body).num(int64(len(e.Keys)))
	for _, key := range e.Keys {
		c.num(int64(key.Index)).key(k.key(key.Hash))
	}
}
