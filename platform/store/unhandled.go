package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/muttproject/mutt/platform/event"
)

// FoldedMask stands for every mask (and FoldedHost for every host) that has no counter of its own any more.
const (
	FoldedMask = "*"
	FoldedHost = "*"
)

// CounterAdd adds N unhandled events of a host and mask.
type CounterAdd struct {
	Host, Mask string
	N          int64
	FirstAt    time.Time // when the first of them was received: a window begins here
	Sample     string    // a message, kept for the window
}

// CountParams are the parameters of CountUnhandled.
type CountParams struct {
	Entry      event.ID // the queue entry (or part of one) that the events came in
	Adds       []CounterAdd
	Expiry     time.Duration // how long a window is
	MaxPerHost int           // masks of a host with counters of their own; 0 for no bound
	MaxTotal   int           // counters in all; 0 for no bound
}

// Counter is the state of one counter.
type Counter struct {
	Host, Mask  string // FoldedMask or FoldedHost when the add was folded
	N           int64  // in the window; 0 when there is no such counter any more
	WindowStart time.Time
	Marked      bool // a meta-alert was published for the window
	Sample      string
	Folded      bool // a bound was reached: counted together with others
}

// CountUnhandled adds to the counters and gives the state of the counter of each add, in their order. An entry that was
// counted before adds nothing and gives the present states.
func (s *Store) CountUnhandled(ctx context.Context, p CountParams) ([]Counter, error) {
	out, err := s.CountUnhandledBatch(ctx, []CountParams{p})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// CountUnhandledBatch is CountUnhandled for several entries, in their order, in one transaction.
func (s *Store) CountUnhandledBatch(ctx context.Context, entries []CountParams) ([][]Counter, error) {
	ctx, done := s.patient(ctx)
	defer done()
	st, err := s.prepareCounting(ctx)
	if err != nil {
		return nil, err
	}
	out := make([][]Counter, len(entries))
	err = s.write(ctx, "count unhandled events", func(tx *sql.Tx) error {
		ctx := s.dialect.inner(ctx)
		if err := s.lockCounters(ctx, tx); err != nil {
			return err
		}
		c := s.newCounters(ctx, tx, st)
		fresh, err := c.mark(entries, event.Micros(s.now()))
		if err != nil {
			return err
		}
		if err := c.load(entries); err != nil {
			return err
		}
		for i := range entries {
			out[i] = c.entry(&entries[i], fresh[entries[i].Entry])
			delete(fresh, entries[i].Entry) // an entry may come twice in one call
		}
		return c.flush()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// MarkUnhandled notes that a meta-alert was published for the windows of these counters. A window that has begun
// since is not marked.
func (s *Store) MarkUnhandled(ctx context.Context, published ...Counter) error {
	ctx, done := s.patient(ctx)
	defer done()
	return s.write(ctx, "mark unhandled counters", func(tx *sql.Tx) error {
		if err := s.lockCounters(ctx, tx); err != nil {
			return err
		}
		for _, c := range published {
			key := home{c.Host, c.Mask}.key()
			if _, err := tx.ExecContext(ctx, `UPDATE unhandled_counters SET marked = 1 WHERE key = $1 AND window_start = $2`,
				s.dialect.id(&key), event.Micros(c.WindowStart)); err != nil {
				return err
			}
		}
		return nil
	})
}

// PruneUnhandled deletes the counters whose window ended by now, and returns how many.
func (s *Store) PruneUnhandled(ctx context.Context, now time.Time) (n int64, err error) {
	err = s.write(ctx, "prune unhandled counters", func(tx *sql.Tx) error {
		if err := s.lockCounters(ctx, tx); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `DELETE FROM unhandled_counters WHERE expires_at <= $1`, event.Micros(now))
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// lockCounters keeps others from the counters until the end of the transaction: what it reads of them stays true.
func (s *Store) lockCounters(ctx context.Context, tx *sql.Tx) error {
	if s.dialect.lockCounters == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, s.dialect.lockCounters)
	return err
}
