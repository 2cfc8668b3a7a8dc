package sqliteq

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/muttproject/mutt/platform/fault"
)

// version is what PRAGMA user_version of the file holds.
const version = 3

// The tables of the queue's own file. Bodies lie apart, so that a claim rewrites a small row and never a body.
// What is claimed needs no owner: at most one lease of a lane is alive, and when the next one begins, or the file is opened,
// what was claimed becomes ready again.
const schema = `
CREATE TABLE lanes ( -- a partition of a queue
  lane      INTEGER PRIMARY KEY,
  queue     TEXT NOT NULL,
  partition INTEGER NOT NULL,
  token     INTEGER NOT NULL, -- of the last lease
  UNIQUE (queue, partition)
);
CREATE TABLE entries (
  seq         INTEGER PRIMARY KEY, -- the order of the appends
  id          BLOB NOT NULL UNIQUE,
  lane        INTEGER NOT NULL,
  state       INTEGER NOT NULL, -- 0 ready, 1 claimed, 2 delayed
  events      INTEGER NOT NULL, -- that are not settled yet
  size        INTEGER NOT NULL DEFAULT 0, -- see queue.SizeOf
  deliveries  INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  replays     INTEGER NOT NULL DEFAULT 0, -- of the dead letter that it was
  appended_at INTEGER NOT NULL, -- this and all times: Unix microseconds
  due_at      INTEGER NOT NULL, -- when a delayed one becomes ready
  reason      TEXT NOT NULL,
  progress    BLOB
);
CREATE INDEX entries_order ON entries (lane, state, seq);
CREATE INDEX entries_due ON entries (lane, due_at) WHERE state = 2;
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE keys ( -- senders' idempotency keys
  hash  BLOB PRIMARY KEY,
  entry BLOB NOT NULL,
  idx   INTEGER NOT NULL,
  at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX keys_at ON keys (at);
CREATE TABLE dead (
  seq       INTEGER PRIMARY KEY,
  queue     TEXT NOT NULL,
  id        BLOB NOT NULL,
  lane      INTEGER NOT NULL,
  body      BLOB NOT NULL,
  hostname  TEXT NOT NULL,
  code      TEXT NOT NULL,
  reason    TEXT NOT NULL,
  attempts  INTEGER NOT NULL,
  first_at  INTEGER NOT NULL,
  died_at   INTEGER NOT NULL,
  replays   INTEGER NOT NULL DEFAULT 0, -- by the janitor
  given_up  INTEGER NOT NULL DEFAULT 0, -- 1: nothing replays it by itself any more
  UNIQUE (queue, id)
);
CREATE INDEX dead_lane ON dead (lane);
CREATE TABLE counters (
  minute  INTEGER NOT NULL,
  process TEXT NOT NULL,
  kind    TEXT NOT NULL,
  label   TEXT NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (minute, process, kind, label)
) WITHOUT ROWID;
`

// upgrades returns what brings a file of version 1, 2, … to the next one. Adding columns with a default rewrites no row.
func upgrades() []string { return []string{fromVersion1, fromVersion2} }

const fromVersion1 = `
ALTER TABLE entries ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dead ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0;
`

// fromVersion2 takes the stored length as the size of the entries that wait: SQL cannot read how long their events are.
const fromVersion2 = `
ALTER TABLE entries ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET size = 256 + coalesce((SELECT length(body) FROM bodies b WHERE b.seq = entries.seq), 0);
`

// migrate creates the tables of a new file, brings an older file up to date and refuses a newer one.
func migrate(ctx context.Context, c *sql.Conn) error {
	var v int
	if err := c.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return fmt.Errorf("read the version of the queue file: %w", err)
	}
	switch {
	case v == version:
		return nil
	case v > version:
		return fault.New(fault.NewerVersion, "the queue file has version %d, this MUTT knows %d", v, version)
	}
	text, doing := schema, "create the queue's tables"
	if v > 0 {
		text, doing = strings.Join(upgrades()[v-1:], ""), "bring the queue file up to date"
	}
	text = fmt.Sprintf("BEGIN IMMEDIATE;%sPRAGMA user_version=%d;COMMIT", text, version)
	if _, err := c.ExecContext(ctx, text); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// load puts back what a former process had claimed, and reads the state of every lane.
func load(ctx context.Context, c *sql.Conn) (lanes []lane, nextSeq int64, err error) {
	const orphans = "UPDATE entries SET state = 0 WHERE state = 1 AND lane IN (SELECT lane FROM lanes)"
	if _, err := c.ExecContext(ctx, orphans); err != nil {
		return nil, 0, fmt.Errorf("take back what a former process had claimed: %w", err)
	}
	const last = "SELECT coalesce(max(seq), 0) + 1 FROM entries"
	if err := c.QueryRowContext(ctx, last).Scan(&nextSeq); err != nil {
		return nil, 0, fmt.Errorf("find the last entry: %w", err)
	}
	const all = `SELECT lane, queue, partition, token,
		(SELECT coalesce(sum(events), 0) FROM entries e WHERE e.lane = l.lane AND state = 0),
		(SELECT count(*)                 FROM entries e WHERE e.lane = l.lane AND state = 0),
		(SELECT coalesce(sum(size), 0)   FROM entries e WHERE e.lane = l.lane AND state = 0),
		(SELECT coalesce(sum(events), 0) FROM entries e WHERE e.lane = l.lane AND state = 2),
		(SELECT count(*)                 FROM entries e WHERE e.lane = l.lane AND state = 2),
		(SELECT coalesce(sum(size), 0)   FROM entries e WHERE e.lane = l.lane AND state = 2),
		(SELECT coalesce(min(due_at), 0) FROM entries e WHERE e.lane = l.lane AND state = 2),
		(SELECT coalesce(min(appended_at), 0) FROM entries WHERE seq =
			(SELECT seq FROM entries e WHERE e.lane = l.lane AND state = 0 ORDER BY seq LIMIT 1)),
		(SELECT count(*) FROM dead d WHERE d.lane = l.lane)
		FROM lanes l ORDER BY lane`
	rows, err := c.QueryContext(ctx, all)
	if err != nil {
		return nil, 0, fmt.Errorf("read the lanes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l lane
		if err := rows.Scan(&l.id, &l.queue, &l.partition, &l.token, &l.ready.events, &l.ready.entries, &l.ready.bytes,
			&l.delayed.events, &l.delayed.entries, &l.delayed.bytes, &l.nextDue, &l.oldest, &l.dead); err != nil {
			return nil, 0, fmt.Errorf("read a lane: %w", err)
		}
		lanes = append(lanes, l)
	}
	return lanes, nextSeq, rows.Err()
}
