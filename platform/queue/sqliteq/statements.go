package sqliteq

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// statements are prepared once on the writing connection.
type statements struct {
	begin, commit, rollback, mark, release, undo *sql.Stmt

	newLane, token, orphans, oldest        *sql.Stmt
	insert, insertBody, stored, key        *sql.Stmt
	wake, nextDue, peek, claim             *sql.Stmt
	byID, remove, removeBody, note, giveUp *sql.Stmt
	count, bury                            *sql.Stmt
	deadByID, deadOldest, removeDead       *sql.Stmt
	abandon                                *sql.Stmt
	dropCounters, dropKeys                 *sql.Stmt

	all []*sql.Stmt
}

func prepare(ctx context.Context, c *sql.Conn) (*statements, error) {
	s := &statements{}
	for _, q := range []struct {
		into **sql.Stmt
		text string
	}{
		{&s.begin, "BEGIN IMMEDIATE"}, {&s.commit, "COMMIT"}, {&s.rollback, "ROLLBACK"},
		{&s.mark, "SAVEPOINT op"}, {&s.release, "RELEASE op"}, {&s.undo, "ROLLBACK TO op"},

		{&s.newLane, "INSERT INTO lanes (lane, queue, partition, token) VALUES ($1, $2, $3, 0)"},
		{&s.token, "UPDATE lanes SET token = $2 WHERE lane = $1"},
		{&s.orphans, "UPDATE entries SET state = 0 WHERE lane = $1 AND state = 1"},
		{&s.oldest, "SELECT appended_at FROM entries WHERE lane = $1 AND state = $2 ORDER BY seq LIMIT 1"},

		{&s.insert, `INSERT INTO entries (seq, id, lane, state, events, deliveries, attempts, appended_at, due_at, reason, replays, size)
			VALUES ($1, $2, $3, 0, $4, 0, $5, $6, 0, $7, $8, $9)`},
		{&s.insertBody, "INSERT INTO bodies (seq, body) VALUES ($1, $2)"},
		{&s.stored, "SELECT 1 FROM entries WHERE id = $1"},
		{&s.key, `INSERT INTO keys (hash, entry, idx, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (hash) DO UPDATE SET entry = $2, idx = $3, at = $4 WHERE at <= $5 OR (entry = $2 AND idx = $3)`},

		{&s.wake, "UPDATE entries SET state = 0, due_at = 0 WHERE lane = $1 AND state = 2 AND due_at <= $2 RETURNING events, size"},
		{&s.nextDue, "SELECT coalesce(min(due_at), 0) FROM entries WHERE lane = $1 AND state = 2"},
		{&s.peek, `SELECT e.seq, e.id, e.events, e.size, e.deliveries, e.attempts, e.replays, e.reason, e.progress, e.appended_at, b.body
			FROM entries e LEFT JOIN bodies b ON b.seq = e.seq WHERE e.lane = $1 AND e.state = 0 ORDER BY e.seq LIMIT $2`},
		{&s.claim, "UPDATE entries SET state = 1, deliveries = deliveries + 1 WHERE lane = $1 AND state = 0 AND seq <= $2"},

		{&s.byID, "SELECT seq, events, size FROM entries WHERE id = $1 AND lane = $2 AND state = 1"},
		{&s.remove, "DELETE FROM entries WHERE seq = $1"},
		{&s.removeBody, "DELETE FROM bodies WHERE seq = $1"},
		{&s.note, "UPDATE entries SET progress = $2, events = $3 WHERE seq = $1"},
		{&s.giveUp, `UPDATE entries SET state = $2, due_at = $3, reason = $4, attempts = attempts + $5 WHERE seq = $1`},

		{&s.count, `INSERT INTO counters (minute, process, kind, label, n) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (minute, process, kind, label) DO UPDATE SET n = n + excluded.n`},
		{&s.bury, `INSERT INTO dead (queue, id, lane, body, hostname, code, reason, attempts, first_at, died_at, replays)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (queue, id) DO NOTHING`},
		{&s.deadByID, "SELECT seq, lane, id, body, reason, attempts, replays FROM dead WHERE queue = $1 AND id = $2"},
		{&s.deadOldest, "SELECT seq, lane, id, body, reason, attempts, replays FROM dead WHERE queue = $1 ORDER BY id LIMIT $2"},
		{&s.removeDead, "DELETE FROM dead WHERE seq = $1"},
		{&s.abandon, "UPDATE dead SET given_up = 1 WHERE queue = $1 AND id = $2 AND given_up = 0"},

		{&s.dropCounters, "DELETE FROM counters WHERE minute < $1"},
		{&s.dropKeys, "DELETE FROM keys WHERE hash IN (SELECT hash FROM keys WHERE at <= $1 ORDER BY at LIMIT $2)"},
	} {
		st, err := c.PrepareContext(ctx, q.text)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %q: %w", q.text, err), s.close())
		}
		*q.into = st
		s.all = append(s.all, st)
	}
	return s, nil
}

func (s *statements) close() error {
	var errs []error
	for _, st := range s.all {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}
