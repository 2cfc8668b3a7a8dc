package sqliteq

import (
	"context"
	"fmt"

	"github.com/muttproject/mutt/platform/connect/sqlite"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/queue"
)

// purgeStep bounds how many keys one transaction deletes, so that intake does not wait for a purge.
const purgeStep = 2000

// Counters lists what was counted.
func (d *Driver) Counters(ctx context.Context, since int64) ([]queue.Counter, error) {
	if err := d.open(); err != nil {
		return nil, err
	}
	const text = "SELECT minute, process, kind, label, n FROM counters WHERE minute >= $1 ORDER BY minute, process, kind, label"
	rows, err := d.db.Reader.QueryContext(ctx, text, since)
	if err != nil {
		return nil, sqlite.Fault(err, fault.QueueUnavailable, "read the counters")
	}
	defer rows.Close()
	var all []queue.Counter
	for rows.Next() {
		var c queue.Counter
		if err := rows.Scan(&c.Minute, &c.Process, &c.Kind, &c.Label, &c.N); err != nil {
			return nil, sqlite.Fault(err, fault.QueueUnavailable, "read the counters")
		}
		all = append(all, c)
	}
	return all, sqlite.Fault(rows.Err(), fault.QueueUnavailable, "read the counters")
}

// Purge deletes old counters and keys.
func (d *Driver) Purge(ctx context.Context, before int64) error {
	err := d.do(ctx, true, func(t *tx) error {
		_, err := t.exec(t.w.stmts.dropCounters, before)
		return err
	})
	for more := true; more && err == nil; {
		err = d.do(ctx, true, func(t *tx) error {
			n, err := t.exec(t.w.stmts.dropKeys, t.now()-keyLife.Microseconds(), purgeStep)
			if err != nil {
				return fmt.Errorf("delete old keys: %w", err)
			}
			more = n == purgeStep
			return nil
		})
	}
	return err
}
