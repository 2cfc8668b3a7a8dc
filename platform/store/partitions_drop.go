package store

import (
	"context"
	"fmt"
	"time"
)

// countedRows is up to where the rows of a partition are counted; a larger one has PostgreSQL's estimate.
const countedRows = 1_000_000

// DropPartitions removes the partitions of the event audit all of whose events were received before a time, each with its
// row in the change audit in one transaction, and returns them with their numbers of rows. On SQLite it does nothing.
func (s *Store) DropPartitions(ctx context.Context, actor Actor, reason string, before time.Time) (dropped []Partition, err error) {
	expired, err := s.expiredPartitions(ctx, before)
	if err != nil {
		return nil, err
	}
	for _, p := range expired {
		if p.Rows, err = s.rowsOf(ctx, p); err != nil {
			return dropped, err
		}
		err := untilLocked(ctx, func() error { return s.dropPartition(ctx, actor, reason, p) })
		if err != nil {
			return dropped, err
		}
		dropped = append(dropped, p)
	}
	return dropped, nil
}

// dropPartition locks out everybody for the moment of the drop, and waits for that no longer than an addition does.
func (s *Store) dropPartition(ctx context.Context, actor Actor, reason string, p Partition) error {
	_, err := s.Change(ctx, actor, reason, func(t *Tx) error {
		if err := t.exec(`SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		var there bool
		if err := t.tx.QueryRowContext(t.ctx, `SELECT to_regclass($1) IS NOT NULL`, p.Name).Scan(&there); err != nil || !there {
			return err // another process has dropped and noted it
		}
		if err := exec(t.ctx, t.tx, `SET LOCAL lock_timeout = '`+attachLockWait+`'`, `DROP TABLE `+p.Name); err != nil {
			return err
		}
		return t.RecordOperation(OpDelete, TableEventAudit, p.Name, map[string]any{"from": rfc3339(p.From), "to": rfc3339(p.To), "rows": p.Rows})
	})
	return err
}

// expiredPartitions lists the partitions that end at a time or before it.
func (s *Store) expiredPartitions(ctx context.Context, before time.Time) (out []Partition, err error) {
	have, err := s.partitions(ctx, `c.reltuples::bigint, 0`)
	for _, p := range have {
		if !p.Default() && !p.To.After(before) {
			out = append(out, p)
		}
	}
	return out, err
}

// rowsOf counts a partition, or gives the estimate of a large one.
func (s *Store) rowsOf(ctx context.Context, p Partition) (n int64, err error) {
	if p.Rows > countedRows {
		return p.Rows, nil
	}
	err = s.reader.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1 FROM %s LIMIT %d) AS bounded`, p.Name, countedRows)).Scan(&n)
	return n, s.fail(ctx, err, "count the rows of a partition")
}
