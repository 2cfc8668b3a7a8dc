package sqliteq

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/event"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// defaultDead is how many dead letters are listed when no limit is given.
const defaultDead = 100

// Dead lists dead letters.
func (d *Driver) Dead(ctx context.Context, p queue.DeadParams) ([]queue.DeadItem, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	if p.Limit <= 0 {
		p.Limit = defaultDead
	}
	if p.IDs == nil {
		return d.dead(ctx, p.Queue, "> $2 ORDER BY d.id LIMIT $3", p.After, p.Limit)
	}
	var all []queue.DeadItem
	seen := make(map[event.ID]bool, len(p.IDs))
	for _, id := range p.IDs {
		if seen[id] {
			continue
		}
		seen[id] = true
		items, err := d.dead(ctx, p.Queue, "= $2 LIMIT $3", id, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// dead lists the dead letters whose id fits a condition.
func (d *Driver) dead(ctx context.Context, q queue.Name, condition string, id event.ID, limit int) (items []queue.DeadItem, err error) {
	const fields = `SELECT d.id, l.partition, d.body, d.hostname, d.code, d.reason, d.attempts, d.first_at, d.died_at, d.replays, d.given_up
		FROM dead d JOIN lanes l ON l.lane = d.lane WHERE d.queue = $1 AND d.id `
	rows, err := d.db.Reader.QueryContext(ctx, fields+condition, string(q), id[:], limit)
	if err != nil {
		return nil, sqlite.Fault(err, fault.QueueUnavailable, "list dead letters")
	}
	items, err = scanDead(rows, q)
	return items, sqlite.Fault(err, fault.QueueUnavailable, "list dead letters")
}

func scanDead(rows *sql.Rows, q queue.Name) (items []queue.DeadItem, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		item := queue.DeadItem{DeadLetter: queue.DeadLetter{Queue: q}}
		var id []byte
		var first, died int64
		if err := rows.Scan(&id, &item.Partition, &item.Body, &item.Hostname, &item.Code, &item.Reason,
			&item.Attempts, &first, &died, &item.Replays, &item.GivenUp); err != nil {
			return nil, err
		}
		copy(item.ID[:], id)
		item.First, item.DiedAt = time.UnixMicro(first).UTC(), time.UnixMicro(died).UTC()
		items = append(items, item)
	}
	return items, rows.Err()
}

// corpse is a dead letter on its way back or out.
type corpse struct {
	past
	seq, lane int64
	id        event.ID
	entry     event.ID // of the new entry; the zero ID for one that the driver makes
	body      []byte
}

// Requeue moves dead letters to the end of the lanes that they came from.
func (d *Driver) Requeue(ctx context.Context, p queue.RequeueParams) (int, error) {
	n := 0
	err := d.do(ctx, false, func(t *tx) error {
		ids, terms := revivals(&p)
		found, err := t.corpses(p.Queue, ids, p.Limit)
		if err != nil {
			return err
		}
		for i := range found {
			if r, ok := terms[found[i].id]; ok {
				found[i].entry, found[i].replays = r.Entry, int64(r.Replays)
			}
			if err := t.revive(&found[i]); err != nil {
				return err
			}
		}
		n = len(found)
		c := queue.Count{Minute: p.Minute, Kind: queue.CountReceived, Label: event.SourceReplay.String(), N: int64(n)}
		if p.Queue == queue.Alert {
			c.Kind, c.Label = queue.CountUnparked, ""
		}
		return t.countSome(p.Process, c)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// revivals returns the ids of the letters to put back, and the terms of an automatic replay.
func revivals(p *queue.RequeueParams) (ids []event.ID, terms map[event.ID]queue.Revival) {
	if p.Revive == nil {
		return p.IDs, nil
	}
	ids, terms = make([]event.ID, len(p.Revive)), make(map[event.ID]queue.Revival, len(p.Revive))
	for i, r := range p.Revive {
		ids[i], terms[r.ID] = r.ID, r
	}
	return ids, terms
}

// GiveUp marks dead letters.
func (d *Driver) GiveUp(ctx context.Context, q queue.Name, ids []event.ID) (int, error) {
	n := 0
	err := d.do(ctx, false, func(t *tx) error {
		n = 0
		for _, id := range ids {
			marked, err := t.exec(t.w.stmts.abandon, string(q), id[:])
			if err != nil {
				return fmt.Errorf("give up dead letter %s: %w", id, err)
			}
			n += int(marked)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Stored looks for entries. What it reads is committed, as an acknowledgement is when its caller hears of it.
func (d *Driver) Stored(ctx context.Context, q queue.Name, entries []event.ID) (stored []event.ID, err error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	for _, id := range entries {
		var one int
		err := d.db.Reader.QueryRowContext(ctx, `SELECT 1 FROM entries e JOIN lanes l ON l.lane = e.lane
			WHERE e.id = $1 AND l.queue = $2`, id[:], string(q)).Scan(&one)
		switch {
		case err == nil:
			stored = append(stored, id)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, sqlite.Fault(err, fault.QueueUnavailable, "look for entries")
		}
	}
	return stored, nil
}

// Discard deletes dead letters.
func (d *Driver) Discard(ctx context.Context, p queue.DiscardParams) (int, error) {
	n := 0
	err := d.do(ctx, false, func(t *tx) error {
		found, err := t.corpses(p.Queue, p.IDs, 0)
		if err != nil {
			return err
		}
		for i := range found {
			if err := t.exhume(&found[i]); err != nil {
				return err
			}
		}
		if n = len(found); p.Queue != queue.Alert {
			return nil
		}
		return t.countSome(p.Process, queue.Count{Minute: p.Minute, Kind: queue.CountDiscarded, N: int64(n)})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (t *tx) countSome(process string, c queue.Count) error {
	if c.N == 0 {
		return nil
	}
	return t.count(process, []queue.Count{c})
}

// corpses finds dead letters by id, or the oldest ones when ids is nil. Each is found once.
func (t *tx) corpses(q queue.Name, ids []event.ID, limit int) (found []corpse, err error) {
	each := func(scan func(...any) error) error {
		var c corpse
		var id []byte
		if err := scan(&c.seq, &c.lane, &id, &c.body, &c.reason, &c.attempts, &c.replays); err != nil {
			return err
		}
		copy(c.id[:], id)
		found = append(found, c)
		return nil
	}
	if ids == nil {
		err = t.rows(t.w.stmts.deadOldest, []any{string(q), limit}, each)
	}
	seen := map[event.ID]bool{}
	for _, id := range ids {
		if err == nil && !seen[id] {
			seen[id] = true
			err = t.rows(t.w.stmts.deadByID, []any{string(q), id[:]}, each)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for dead letters: %w", err)
	}
	return found, nil
}

// exhume takes a dead letter out.
func (t *tx) exhume(c *corpse) error {
	if _, err := t.exec(t.w.stmts.removeDead, c.seq); err != nil {
		return fmt.Errorf("remove dead letter %s: %w", c.id, err)
	}
	l := t.laneByID(c.lane)
	if l == nil {
		return fault.New(fault.Corrupt, "dead letter %s is of a partition that is not known", c.id)
	}
	l.dead--
	return nil
}

// revive makes an entry of a dead letter. It gets a new id: readers know the old entry's as done.
func (t *tx) revive(c *corpse) error {
	if err := t.exhume(c); err != nil {
		return err
	}
	e := queue.Entry{ID: c.entry, Events: 1, Body: c.body}
	if e.ID == (event.ID{}) {
		e.ID = queue.NewEntryID()
	}
	return t.store(t.laneByID(c.lane), &e, t.now(), c.past)
}

func (t *tx) laneByID(id int64) *lane {
	for i := range t.w.lanes {
		if t.w.lanes[i].id == id {
			return &t.w.lanes[i]
		}
	}
	return nil
}
