package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"

	"github.com/muttproject/mutt/platform/event"
)

// counting holds the statements of CountUnhandled.
type counting struct{ marks, read, perHost, numbers, whole bulk }

func newCounting(d dialect) counting {
	return counting{
		marks: newBulk(d, `unhandled_entries (entry_id, created_at)`,
			`ON CONFLICT (entry_id) DO NOTHING RETURNING entry_id`, 2, halves(16)...),
		read: newLookup(d, `SELECT key, n, window_start, expires_at, marked, sample FROM unhandled_counters
			WHERE key`, ``, halves(256)...),
		// Without a condition on the mask the index on hostname answers alone.
		perHost: newLookup(d, `SELECT hostname, count(*) FROM unhandled_counters
			WHERE hostname`, `GROUP BY hostname`, halves(64)...),
		// For counters that exist and stay in their window, as most do: neither the other columns nor an index is written.
		numbers: newChunks(d, [3]string{
			d.bulkInsert + `unhandled_counters (key, n, hostname, mask, window_start, expires_at, marked, sample) VALUES `,
			`, '', '', 0, 0, 0, ''`,
			` ON CONFLICT (key) DO UPDATE SET n = excluded.n`}, 2, halves(256)),
		whole: newBulk(d, `unhandled_counters (key, hostname, mask, n, window_start, expires_at, marked, sample)`,
			`ON CONFLICT (key) DO UPDATE SET n = excluded.n, window_start = excluded.window_start,
			expires_at = excluded.expires_at, marked = excluded.marked, sample = excluded.sample`, 8, halves(64)...),
	}
}

// countingStmts are the prepared statements of counting.
type countingStmts struct{ marks, read, perHost, numbers, whole []statement }

func (s *Store) prepareCounting(ctx context.Context) (countingStmts, error) {
	b := &s.counting
	st, err := s.preparedBulks(ctx, &b.marks, &b.read, &b.perHost, &b.numbers, &b.whole)
	if err != nil {
		return countingStmts{}, err
	}
	return countingStmts{st[0], st[1], st[2], st[3], st[4]}, nil
}

// home is a counter that an add may be counted by.
type home struct{ host, mask string }

// homes gives them in the order in which they are tried: the add's own, the one for its host, the one for all hosts.
func homes(a *CounterAdd) [3]home {
	return [3]home{{a.Host, a.Mask}, {a.Host, FoldedMask}, {FoldedHost, FoldedMask}}
}

// key is 128 bits of SHA-256 over host and mask; the length keeps ("a", "bc") and ("ab", "c") apart.
func (h home) key() (key event.ID) {
	var buf [256]byte
	b := binary.BigEndian.AppendUint32(buf[:0], uint32(len(h.host)))
	sum := sha256.Sum256(append(append(b, h.host...), h.mask...))
	copy(key[:], sum[:])
	return key
}

// counterRow is a row of unhandled_counters, or the place for one.
type counterRow struct {
	home
	counterWindow
	key      event.ID
	exists   bool
	counted  bool // in this transaction: n is to be written
	reopened bool // the window changed: all is to be written
}

// counterWindow is what is counted. Times are Unix microseconds.
type counterWindow struct {
	n, start, expires int64
	marked            bool
	sample            string
}

// count adds to a counter. Its window begins with the add when it is new or has expired.
func (r *counterRow) count(a *CounterAdd, expiry int64) {
	first := event.Micros(a.FirstAt)
	if !r.exists || r.start+expiry <= first {
		r.counterWindow = counterWindow{start: first, sample: a.Sample}
		r.exists, r.reopened = true, true
	}
	r.n += a.N
	if expires := r.start + expiry; r.expires != expires {
		r.expires, r.reopened = expires, true
	}
}

// state is what the caller sees of a counter.
func (r *counterRow) state(folded bool) Counter {
	return Counter{Host: r.host, Mask: r.mask, N: r.n, WindowStart: event.Time(r.start), Marked: r.marked, Sample: r.sample, Folded: folded}
}

// counters is what one transaction knows of the counters: load reads those that the adds may need, add and lookup work
// in memory, flush writes what changed. Nobody else writes before the transaction ends, so what was read stays true.
type counters struct {
	*counting
	ctx     context.Context // of the call that it is part of
	tx      *sql.Tx
	st      countingStmts
	id      func(*event.ID) any
	rows    map[home]*counterRow // all that load looked for
	hosts   map[string]int       // host → its counters but the folded one; of hosts with a new mask
	total   int                  // counters in all; known when there is a new mask
	changed []*counterRow
}

func (s *Store) newCounters(ctx context.Context, tx *sql.Tx, st countingStmts) *counters {
	return &counters{counting: &s.counting, ctx: ctx, tx: tx, st: st, id: s.dialect.id,
		rows: map[home]*counterRow{}, hosts: map[string]int{}}
}

// mark records the entries as counted and gives those that had no mark.
func (c *counters) mark(entries []CountParams, now int64) (fresh map[event.ID]bool, err error) {
	args := make([]any, 0, 2*len(entries))
	for i := range entries {
		args = append(args, c.id(&entries[i].Entry), now)
	}
	return c.marks.marked(c.ctx, c.tx, args, c.st.marks)
}

// load reads the counters of all adds. Only when some have none of their own, it reads those that they may fold into
// and the numbers that the bounds are for.
func (c *counters) load(entries []CountParams) error {
	var own []home
	for i := range entries {
		for k := range entries[i].Adds {
			own = append(own, homes(&entries[i].Adds[k])[0])
		}
	}
	if err := c.find(own); err != nil {
		return err
	}
	var folded []home
	for _, h := range own {
		if _, known := c.hosts[h.host]; !known && !c.rows[h].exists {
			c.hosts[h.host] = 0
			folded = append(folded, home{h.host, FoldedMask})
		}
	}
	if len(folded) == 0 {
		return nil
	}
	if err := c.find(append(folded, home{FoldedHost, FoldedMask})); err != nil {
		return err
	}
	return c.findNumbers()
}

// find reads counters that were not looked for yet.
func (c *counters) find(wanted []home) error {
	byKey, keys := make(map[event.ID]*counterRow, len(wanted)), make([]any, 0, len(wanted))
	for _, h := range wanted {
		if c.rows[h] != nil {
			continue
		}
		r := &counterRow{home: h, key: h.key()}
		c.rows[h], byKey[r.key] = r, r
		keys = append(keys, c.id(&r.key))
	}
	var key event.ID
	var w counterWindow
	return c.read.query(c.ctx, c.tx, keys, c.st.read, func(rows *sql.Rows) error {
		err := rows.Scan(&key, &w.n, &w.start, &w.expires, &w.marked, &w.sample)
		if err == nil {
			byKey[key].counterWindow, byKey[key].exists = w, true
		}
		return err
	})
}

// findNumbers reads how many counters the hosts have, and how many there are in all.
func (c *counters) findNumbers() error {
	names := make([]any, 0, len(c.hosts))
	for host := range c.hosts {
		names = append(names, host)
	}
	var host string
	var n int
	err := c.perHost.query(c.ctx, c.tx, names, c.st.perHost, func(rows *sql.Rows) error {
		err := rows.Scan(&host, &n)
		if err == nil {
			c.hosts[host] = n
		}
		return err
	})
	if err != nil {
		return err
	}
	for host := range c.hosts {
		if c.rows[home{host, FoldedMask}].exists {
			c.hosts[host]--
		}
	}
	return c.tx.QueryRowContext(c.ctx, `SELECT count(*) FROM unhandled_counters`).Scan(&c.total)
}

// entry counts the adds of an entry, or looks them up.
func (c *counters) entry(p *CountParams, fresh bool) []Counter {
	out := make([]Counter, len(p.Adds))
	for i := range p.Adds {
		if fresh {
			out[i] = c.add(p, &p.Adds[i])
		} else {
			out[i] = c.lookup(&p.Adds[i])
		}
	}
	return out
}

// add counts an add in the first of its homes that exists or may be made.
func (c *counters) add(p *CountParams, a *CounterAdd) Counter {
	for i, h := range homes(a) {
		r := c.rows[h]
		switch {
		case r != nil && r.exists:
		case i == 2 || c.room(p, a.Host, i == 0):
			c.made(h)
		default:
			continue
		}
		r.count(a, p.Expiry.Microseconds())
		if !r.counted {
			r.counted = true
			c.changed = append(c.changed, r)
		}
		return r.state(i > 0)
	}
	panic("store: the last counter has no bound")
}

// room reports whether the bounds allow a new counter for a host.
func (c *counters) room(p *CountParams, host string, own bool) bool {
	if p.MaxTotal > 0 && c.total >= p.MaxTotal {
		return false
	}
	return !own || p.MaxPerHost <= 0 || c.hosts[host] < p.MaxPerHost
}

// made notes that there is one more counter.
func (c *counters) made(h home) {
	c.total++
	if h.mask != FoldedMask {
		c.hosts[h.host]++
	}
}

// lookup gives the counter that counts an add; without its numbers when there is none any more.
func (c *counters) lookup(a *CounterAdd) Counter {
	for i, h := range homes(a) {
		if r := c.rows[h]; r != nil && r.exists {
			return r.state(i > 0)
		}
	}
	return Counter{Host: a.Host, Mask: a.Mask}
}

// flush writes the counters that changed.
func (c *counters) flush() error {
	var numbers, whole []any
	for _, r := range c.changed {
		if r.reopened {
			whole = append(whole, c.id(&r.key), r.host, r.mask, r.n, r.start, r.expires, number(r.marked), r.sample)
		} else {
			numbers = append(numbers, c.id(&r.key), r.n)
		}
	}
	if err := c.numbers.exec(c.ctx, c.tx, numbers, c.st.numbers); err != nil {
		return err
	}
	return c.whole.exec(c.ctx, c.tx, whole, c.st.whole)
}
