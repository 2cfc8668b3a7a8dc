-- +goose Up
-- Counters of events that no rule matched, one for each host and mask. key is a hash of both.
CREATE TABLE unhandled_counters (
    key          BLOB    PRIMARY KEY,
    hostname     TEXT    NOT NULL,
    mask         TEXT    NOT NULL,
    n            INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    marked       INTEGER NOT NULL,
    sample       TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX unhandled_counters_hostname ON unhandled_counters (hostname);
CREATE INDEX unhandled_counters_expiry ON unhandled_counters (expires_at);

-- The entries that were counted: a redelivered one does not count again.
CREATE TABLE unhandled_entries (
    entry_id   BLOB    PRIMARY KEY,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
