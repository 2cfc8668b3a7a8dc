package sqliteq

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

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
	const fields = `SELECT d.id, l.partition, d.body, d.hostname, d.code, d.reason, d.attempts, d.first_at, d.died_at
		FROM dead d JOIN lanes l ON l.lane = d.lane WHERE d.queue = $1 AND d.id `
	text, id := fields+"> $2 ORDER BY d.id LIMIT $3", p.After
	if p.ID != (event.ID{}) {
		text, id = fields+"= $2 LIMIT $3", p.ID
	}
	rows, err := d.db.Reader.QueryContext(ctx, text, string(p.Queue), id[:], p.Limit)
	if err != nil {
		return nil, sqlite.Fault(err, fault.QueueUnavailable, "list dead letters")
	}
	items, err := scanDead(rows, p.Queue)
	return items, sqlite.Fault(err, fault.QueueUnavailable, "list dead letters")
}

func scanDead(rows *sql.Rows, q queue.Name) (items []queue.DeadItem, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		item := queue.DeadItem{DeadLetter: queue.DeadLetter{Queue: q}}
		var id []byte
		var first, died int64
		if err := rows.Scan(&id, &item.Partition, &item.Body, &item.Hostname, &item.Code, &item.Reason,
			&item.Attempts, &first, &died); err != nil {
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
	seq, lane, attempts int64
	id                  event.ID
	body                []byte
	reason              string
}

// Requeue moves dead letters to the end of the lanes that they came from.
func (d *Driver) Requeue(ctx context.Context, p queue.RequeueParams) (int, error) {
	n := 0
	err := d.do(ctx, false, func(t *tx) error {
		found, err := t.corpses(p.Queue, p.IDs, p.Limit)
		if err != nil {
			return err
		}
		for i := range found {
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
		if err := scan(&c.seq, &c.lane, &id, &c.body, &c.reason, &c.attempts); err != nil {
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
	id, err := uuid.NewV7()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "make an entry id")
	}
	e := queue.Entry{ID: id, Events: 1, Body: c.body}
	return t.store(t.laneByID(c.lane), &e, t.now(), c.attempts, c.reason)
}

func (t *tx) laneByID(id int64) *lane {
	for i := range t.w.lanes {
		if t.w.lanes[i].id == id {
			return &t.w.lanes[i]
		}
	}
	return nil
}
