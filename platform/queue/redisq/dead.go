package redisq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// defaultDead is how many dead letters are listed when no limit is given.
const defaultDead = 100

// letter is how a dead letter is stored. Text is bytes, because it need not be UTF-8.
type letter struct {
	Body     []byte `json:"body"`
	Hostname []byte `json:"hostname"`
	Code     string `json:"code"`
	Reason   []byte `json:"reason"`
	Attempts int    `json:"attempts"`
	Replays  int    `json:"replays,omitempty"`
	GivenUp  bool   `json:"given_up,omitempty"` // giveup.lua appends this member
	First    int64  `json:"first"`              // Unix µs, as all times
	Died     int64  `json:"died"`
}

func (c *call) bury(p *queue.SettleParams, now time.Time) error {
	c.num(int64(len(p.Dead)))
	for i := range p.Dead {
		dl := &p.Dead[i]
		text, err := json.Marshal(letter{Body: dl.Body, Hostname: []byte(dl.Hostname), Code: dl.Code, Reason: []byte(dl.Reason),
			Attempts: dl.Attempts, Replays: dl.Replays, First: timestamp(dl.First), Died: timestamp(now)})
		if err != nil {
			return fault.Wrap(fault.Internal, err, "encode dead letter %s", dl.ID)
		}
		c.to(dl.Queue, p.Lease).bytes(dl.ID[:]).bytes(text)
	}
	return nil
}

func deadItem(q queue.Name, partition int, id event.ID, text []byte) (queue.DeadItem, error) {
	var l letter
	if err := json.Unmarshal(text, &l); err != nil {
		return queue.DeadItem{}, fault.Wrap(fault.Corrupt, err, "decode dead letter %s", id)
	}
	return queue.DeadItem{Partition: partition, DiedAt: time.UnixMicro(l.Died).UTC(), GivenUp: l.GivenUp,
		DeadLetter: queue.DeadLetter{ID: id, Queue: q, Body: l.Body, Hostname: string(l.Hostname), Code: l.Code, Reason: string(l.Reason),
			Attempts: l.Attempts, Replays: l.Replays, First: time.UnixMicro(l.First).UTC()}}, nil
}

// Dead lists dead letters. It asks all partitions for a page and merges the pages.
func (d *Driver) Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error) {
	if p.Limit <= 0 {
		p.Limit = defaultDead
	}
	if p.IDs != nil {
		return d.deadByID(ctx, p.Queue, p.IDs)
	}
	after := ""
	if p.After != (event.ID{}) {
		after = string(p.After[:])
	}
	pages := make([][]queue.DeadItem, len(d.keys))
	err := d.each(func(n int) error {
		c := d.call().text(after).num(int64(p.Limit)).key(d.keys[n].lane(p.Queue).light()...)
		r, err := d.run(ctx, d.scripts.dead, "list dead letters", c)
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(r.rest); i += 2 {
			item, err := deadItem(p.Queue, n, r.id(i), r.bytes(i+1))
			if err != nil {
				return err
			}
			pages[n] = append(pages[n], item)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(pages...)
	slices.SortFunc(all, func(a, b queue.DeadItem) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return all[:min(p.Limit, len(all))], nil
}

// deadByID finds dead letters, in the order of ids and each once, wherever they are.
func (d *Driver) deadByID(ctx context.Context, q queue.Name, ids []event.ID) ([]queue.DeadItem, error) {
	if len(ids) == 0 {
		return nil, d.open()
	}
	fields := make([]string, len(ids))
	for i := range ids {
		fields[i] = string(ids[i][:])
	}
	found := make([][][]byte, len(d.keys))
	err := d.each(func(p int) error {
		r, err := d.command(ctx, "find dead letters", d.client.B().Hmget().Key(d.keys[p].lane(q).letters()).Field(fields...).Build())
		if err != nil {
			return err
		}
		values, err := r.ToArray()
		if err != nil {
			return unavailable(err, "find dead letters")
		}
		for i := range values {
			found[p] = append(found[p], reply{rest: values}.bytes(i))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var items []queue.DeadItem
	seen := map[event.ID]bool{}
	for i, id := range ids {
		for p := range found {
			if seen[id] || found[p][i] == nil {
				continue
			}
			seen[id] = true
			item, err := deadItem(q, p, id, found[p][i])
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
	}
	return items, nil
}

// Requeue makes new entries of dead letters, in one step for each partition. When it fails, some partitions may be done;
// repeating it is safe.
func (d *Driver) Requeue(ctx context.Context, p queue.RequeueParams) (int, error) {
	var items []queue.DeadItem
	var entries map[event.ID]event.ID
	var err error
	switch {
	case p.Revive != nil:
		items, entries, err = d.revivals(ctx, &p)
	case p.IDs != nil:
		items, err = d.deadByID(ctx, p.Queue, p.IDs)
	case p.Limit > 0:
		items, err = d.Dead(ctx, queue.DeadParams{Queue: p.Queue, Limit: p.Limit})
	default:
		err = d.open()
	}
	if err != nil {
		return 0, err
	}
	count := queue.Count{Minute: p.Minute, Kind: queue.CountReceived, Label: event.SourceReplay.String(), N: 1}
	if p.Queue == queue.Alert {
		count.Kind, count.Label = queue.CountUnparked, ""
	}
	return d.exhume(ctx, p.Queue, "revive", items, entries, p.Process, []queue.Count{count})
}

// revivals returns the letters of an automatic replay as they are put back, and the ids of their new entries.
func (d *Driver) revivals(ctx context.Context, p *queue.RequeueParams) (items []queue.DeadItem, entries map[event.ID]event.ID, err error) {
	ids, terms := make([]event.ID, len(p.Revive)), make(map[event.ID]queue.Revival, len(p.Revive))
	for i, r := range p.Revive {
		ids[i], terms[r.ID] = r.ID, r
	}
	if items, err = d.deadByID(ctx, p.Queue, ids); err != nil {
		return nil, nil, err
	}
	entries = make(map[event.ID]event.ID, len(items))
	for i := range items {
		r := terms[items[i].ID]
		items[i].Replays, entries[r.ID] = r.Replays, r.Entry
	}
	return items, entries, nil
}

// GiveUp marks dead letters, in one step for each partition. Repeating it is safe.
func (d *Driver) GiveUp(ctx context.Context, q queue.Name, ids []event.ID) (int, error) {
	marked := make([]int64, len(d.keys))
	err := d.each(func(p int) error {
		r, err := d.run(ctx, d.scripts.giveUp, "give up dead letters", d.call().key(d.keys[p].lane(q).letters()).ids(ids))
		if err == nil {
			marked[p] = r.int(0)
		}
		return err
	})
	total := int64(0)
	for _, n := range marked {
		total += n
	}
	return int(total), err
}

// Stored looks for entries in all partitions, and returns them in the order in which they were asked for.
func (d *Driver) Stored(ctx context.Context, q queue.Name, entries []event.ID) ([]event.ID, error) {
	found := make([]reply, len(d.keys))
	err := d.each(func(p int) (err error) {
		found[p], err = d.run(ctx, d.scripts.stored, "look for entries", d.call().key(d.keys[p].lane(q).entryIDs()).ids(entries))
		return err
	})
	if err != nil {
		return nil, err
	}
	there := map[event.ID]bool{}
	for _, r := range found {
		for i := range r.rest {
			there[r.id(i)] = true
		}
	}
	var stored []event.ID
	for _, id := range entries {
		if there[id] {
			stored = append(stored, id)
		}
	}
	return stored, nil
}

// Discard deletes dead letters, in one step for each partition, like Requeue.
func (d *Driver) Discard(ctx context.Context, p queue.DiscardParams) (int, error) {
	items, err := d.deadByID(ctx, p.Queue, p.IDs)
	if err != nil {
		return 0, err
	}
	var counts []queue.Count
	if p.Queue == queue.Alert {
		counts = []queue.Count{{Minute: p.Minute, Kind: queue.CountDiscarded, N: 1}}
	}
	return d.exhume(ctx, p.Queue, "discard", items, nil, p.Process, counts)
}

// exhume takes out those of the items that are still there, and counts each. entries has the ids of new entries that the
// caller chose, by letter.
func (d *Driver) exhume(ctx context.Context, q queue.Name, what string, items []queue.DeadItem, entries map[event.ID]event.ID,
	process string, counts []queue.Count,
) (int, error) {
	total := 0
	for p := range d.keys {
		mine := slices.Clone(items)
		mine = slices.DeleteFunc(mine, func(i queue.DeadItem) bool { return i.Partition != p })
		if len(mine) == 0 {
			continue
		}
		k := &d.keys[p]
		c := d.call().text(what).num(timestamp(d.opts.Now())).key(k.lane(q).light()...).key(k.minutes).num(int64(len(mine)))
		for i := range mine {
			c.bytes(mine[i].ID[:])
			if what == "revive" {
				id, chosen := entries[mine[i].ID]
				if !chosen {
					id = queue.NewEntryID()
				}
				c.bytes(id[:]).num(int64(mine[i].Attempts)).num(int64(mine[i].Replays)).text(mine[i].Reason).body(mine[i].Body)
			}
		}
		r, err := d.run(ctx, d.scripts.exhume, what+" dead letters", c.counts(k, process, counts))
		if err != nil {
			return total, fmt.Errorf("partition %d: %w", p, err)
		}
		total += int(r.int(0))
	}
	return total, nil
}
