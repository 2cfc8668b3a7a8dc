package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
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

// counting holds the statements of CountUnhandled.
type counting struct {
	insert, update, find, perHost, total *sql.Stmt
}

// A window that has expired restarts with the add. Times are microseconds: $2 expiry, $3 the add's first event.
const updateCounter = `UPDATE unhandled_counters SET
	n = CASE WHEN window_start + $2 <= $3 THEN $4 ELSE n + $4 END,
	marked = CASE WHEN window_start + $2 <= $3 THEN 0 ELSE marked END,
	sample = CASE WHEN window_start + $2 <= $3 THEN $5 ELSE sample END,
	window_start = CASE WHEN window_start + $2 <= $3 THEN $3 ELSE window_start END,
	expires_at = CASE WHEN window_start + $2 <= $3 THEN $3 ELSE window_start END + $2
	WHERE key = $1 RETURNING n, window_start, marked, sample`

func (s *Store) prepareCounting(ctx context.Context) (counting, error) {
	st, err := s.prepared(ctx,
		`INSERT INTO unhandled_counters (key, hostname, mask, n, window_start, expires_at, marked, sample)
			VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`,
		updateCounter,
		`SELECT n, window_start, marked, sample FROM unhandled_counters WHERE key = $1`,
		`SELECT count(*) FROM unhandled_counters WHERE hostname = $1 AND mask <> '`+FoldedMask+`'`,
		`SELECT count(*) FROM unhandled_counters`)
	if err != nil {
		return counting{}, err
	}
	return counting{st[0], st[1], st[2], st[3], st[4]}, nil
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

// CountUnhandledBatch is CountUnhandled for several entries in one transaction.
func (s *Store) CountUnhandledBatch(ctx context.Context, entries []CountParams) ([][]Counter, error) {
	st, err := s.prepareCounting(ctx)
	if err != nil {
		return nil, err
	}
	out := make([][]Counter, len(entries))
	err = s.write(ctx, "count unhandled events", func(tx *sql.Tx) error {
		c := counter{ctx: ctx, tx: tx, st: st, hosts: map[string]int{}, total: -1, id: s.dialect.id}
		for i := range entries {
			c.p = &entries[i]
			if out[i], err = c.entry(event.Micros(s.now())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// MarkUnhandled notes that a meta-alert was published for the windows of these counters. A window that has begun
// since is not marked.
func (s *Store) MarkUnhandled(ctx context.Context, published ...Counter) error {
	return s.write(ctx, "mark unhandled counters", func(tx *sql.Tx) error {
		for _, c := range published {
			key := counterKey(c.Host, c.Mask)
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
		res, err := tx.ExecContext(ctx, `DELETE FROM unhandled_counters WHERE expires_at <= $1`, event.Micros(now))
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// counter is one CountUnhandledBatch at work, on the entry p. It remembers the bounds' counts, which only new counters change.
type counter struct {
	ctx   context.Context // of the call that it is part of
	tx    *sql.Tx
	st    counting
	p     *CountParams
	hosts map[string]int // host → masks
	total int            // -1 when not asked yet
	id    func(*event.ID) any
}

// entry counts one entry, unless it was counted before.
func (c *counter) entry(now int64) ([]Counter, error) {
	res, err := c.tx.ExecContext(c.ctx, `INSERT INTO unhandled_entries (entry_id, created_at) VALUES ($1, $2)
		ON CONFLICT (entry_id) DO NOTHING`, c.id(&c.p.Entry), now)
	if err != nil {
		return nil, err
	}
	fresh, err := res.RowsAffected()
	if err != nil {
		return nil, err
	}
	out := make([]Counter, len(c.p.Adds))
	for i := range c.p.Adds {
		if fresh > 0 {
			out[i], err = c.add(&c.p.Adds[i])
		} else {
			out[i], err = c.lookup(&c.p.Adds[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// home gives the counters that an add may be counted by, in the order in which they are tried.
func home(a *CounterAdd) [3]Counter {
	return [3]Counter{
		{Host: a.Host, Mask: a.Mask},
		{Host: a.Host, Mask: FoldedMask, Folded: true},
		{Host: FoldedHost, Mask: FoldedMask, Folded: true},
	}
}

func (c *counter) add(a *CounterAdd) (Counter, error) {
	for i, to := range home(a) {
		found, err := c.update(&to, a)
		if err != nil || found {
			return to, err
		}
		room, err := c.room(a.Host, i)
		if err != nil {
			return to, err
		}
		if room {
			return to, c.insert(&to, a)
		}
	}
	panic("store: the last counter has no bound")
}

func (c *counter) update(to *Counter, a *CounterAdd) (found bool, err error) {
	key := counterKey(to.Host, to.Mask)
	return to.scan(c.tx.StmtContext(c.ctx, c.st.update).QueryRowContext(c.ctx, c.id(&key), c.p.Expiry.Microseconds(),
		event.Micros(a.FirstAt), a.N, a.Sample))
}

func (c *counter) insert(to *Counter, a *CounterAdd) error {
	key, start := counterKey(to.Host, to.Mask), event.Micros(a.FirstAt)
	to.N, to.WindowStart, to.Sample = a.N, event.Time(start), a.Sample
	if !to.Folded {
		c.hosts[to.Host]++
	}
	c.total++
	_, err := c.tx.StmtContext(c.ctx, c.st.insert).ExecContext(c.ctx, c.id(&key), to.Host, to.Mask, a.N, start,
		start+c.p.Expiry.Microseconds(), a.Sample)
	return err
}

func (c *counter) lookup(a *CounterAdd) (Counter, error) {
	for _, at := range home(a) {
		key := counterKey(at.Host, at.Mask)
		found, err := at.scan(c.tx.StmtContext(c.ctx, c.st.find).QueryRowContext(c.ctx, c.id(&key)))
		if err != nil || found {
			return at, err
		}
	}
	return Counter{Host: a.Host, Mask: a.Mask}, nil
}

// room reports whether the bounds allow a new counter of the i-th kind of home. One for all hosts is always allowed.
func (c *counter) room(host string, i int) (bool, error) {
	if i == 2 {
		return true, nil
	}
	if c.total < 0 {
		if err := c.tx.StmtContext(c.ctx, c.st.total).QueryRowContext(c.ctx).Scan(&c.total); err != nil {
			return false, err
		}
	}
	if c.p.MaxTotal > 0 && c.total >= c.p.MaxTotal {
		return false, nil
	}
	if i == 1 || c.p.MaxPerHost <= 0 {
		return true, nil
	}
	n, ok := c.hosts[host]
	if !ok {
		if err := c.tx.StmtContext(c.ctx, c.st.perHost).QueryRowContext(c.ctx, host).Scan(&n); err != nil {
			return false, err
		}
		c.hosts[host] = n
	}
	return n < c.p.MaxPerHost, nil
}

func (to *Counter) scan(row *sql.Row) (found bool, err error) {
	var start int64
	err = row.Scan(&to.N, &start, &to.Marked, &to.Sample)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	to.WindowStart = event.Time(start)
	return err == nil, err
}

// counterKey is 128 bits of SHA-256 over host and mask; the length keeps ("a", "bc") and ("ab", "c") apart.
func counterKey(host, mask string) (key event.ID) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(host)))
	sum := sha256.Sum256(append(append(b, host...), mask...))
	copy(key[:], sum[:])
	return key
}
