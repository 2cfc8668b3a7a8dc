package sqliteq

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// tx is the writer's transaction while it runs operations. It begins with the first statement: what needs none costs
// no I/O.
type tx struct {
	w       *writer
	at      time.Duration // when the running operation was submitted
	durable bool
	alone   bool   // one operation: its savepoint is the transaction
	begun   bool   // BEGIN was executed
	marked  bool   // the running operation has its savepoint
	before  []lane // as they were before the running operation
}

// step runs one operation. outcome is the answer to its caller; err says that the file failed and that the whole
// transaction must be given up.
func (t *tx) step(o *op) (outcome, err error) {
	w := t.w
	t.before = append(t.before[:0], w.lanes...)
	t.at, t.marked = o.at, false
	seq := w.nextSeq
	outcome = o.run(t)
	if outcome != nil && !isOutcome(outcome) {
		return nil, outcome
	}
	if outcome != nil {
		w.lanes = append(w.lanes[:0], t.before...)
		w.nextSeq = seq
	}
	return outcome, t.leave(outcome == nil)
}

// leave ends the savepoint of an operation.
func (t *tx) leave(keep bool) error {
	if !t.marked {
		return nil
	}
	if t.alone {
		if !keep {
			t.rollback()
		}
		return nil
	}
	if !keep {
		if _, err := t.w.stmts.undo.ExecContext(t.w.ctx); err != nil {
			return fmt.Errorf("undo an operation: %w", err)
		}
	}
	if _, err := t.w.stmts.release.ExecContext(t.w.ctx); err != nil {
		return fmt.Errorf("end an operation: %w", err)
	}
	return nil
}

// begin makes sure that the running operation is in a transaction and can be undone alone.
func (t *tx) begin() error {
	w := t.w
	if !t.begun {
		if err := w.sync(t.durable); err != nil {
			return err
		}
		if _, err := w.stmts.begin.ExecContext(w.ctx); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		t.begun = true
	}
	if !t.marked && !t.alone {
		if _, err := w.stmts.mark.ExecContext(w.ctx); err != nil {
			return fmt.Errorf("begin an operation: %w", err)
		}
	}
	t.marked = true
	return nil
}

func (t *tx) commit() error {
	if !t.begun {
		return nil
	}
	t.marked = true // what follows belongs to no operation
	for i := range t.w.lanes {
		if l := &t.w.lanes[i]; l.stale {
			if err := t.refresh(l); err != nil {
				return err
			}
		}
	}
	if _, err := t.w.stmts.commit.ExecContext(t.w.ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// rollback gives up. SQLite may have done so by itself (full disk), which makes this statement fail harmlessly.
func (t *tx) rollback() {
	if t.begun {
		_, _ = t.w.stmts.rollback.ExecContext(t.w.ctx)
		t.begun = false
	}
}

// exec runs a statement of the running operation and gives the number of rows that it changed.
func (t *tx) exec(s *sql.Stmt, args ...any) (int64, error) {
	if err := t.begin(); err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.w.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row; found is false when there is none.
func (t *tx) row(s *sql.Stmt, args []any, into ...any) (found bool, err error) {
	if err := t.begin(); err != nil {
		return false, err
	}
	err = s.QueryRowContext(t.w.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// rows reads many; each is called for every row and scans it.
func (t *tx) rows(s *sql.Stmt, args []any, each func(scan func(...any) error) error) error {
	if err := t.begin(); err != nil {
		return err
	}
	rows, err := s.QueryContext(t.w.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// refresh reads when the oldest entry that is not delayed was appended.
func (t *tx) refresh(l *lane) error {
	l.stale, l.oldest = false, 0
	for state, n := range []int64{ready: l.ready.entries, claimed: l.claimed.entries} {
		var at int64
		if n == 0 {
			continue
		}
		found, err := t.row(t.w.stmts.oldest, []any{l.id, state}, &at)
		if err != nil {
			return fmt.Errorf("find the oldest entry: %w", err)
		}
		if found && (l.oldest == 0 || at < l.oldest) {
			l.oldest = at
		}
	}
	return nil
}

// lane gives a partition of a queue, making it known when it is new.
func (t *tx) lane(q queue.Name, partition int) (*lane, error) {
	if l := find(t.w.lanes, q, partition); l != nil {
		return l, nil
	}
	id := int64(1)
	for i := range t.w.lanes {
		id = max(id, t.w.lanes[i].id+1)
	}
	if _, err := t.exec(t.w.stmts.newLane, id, string(q), partition); err != nil {
		return nil, fmt.Errorf("make a lane: %w", err)
	}
	t.w.lanes = append(t.w.lanes, lane{id: id, queue: q, partition: partition})
	return &t.w.lanes[len(t.w.lanes)-1], nil
}

// lease gives the lane of a lease that is alive.
func (t *tx) lease(q queue.Lease) (*lane, error) {
	l := find(t.w.lanes, q.Queue, q.Partition)
	return l, l.check(q, t.at)
}

func (t *tx) now() int64 { return t.w.d.opts.Now().UnixMicro() }
