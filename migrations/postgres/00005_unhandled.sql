-- +goose Up
-- Counters of events that no rule matched, one for each host and mask. key is a hash of both.
-- With Redis they are kept there; this table serves a store without it.
CREATE TABLE unhandled_counters (
    key          UUID     PRIMARY KEY,
    n            BIGINT   NOT NULL,
    window_start BIGINT   NOT NULL,
    expires_at   BIGINT   NOT NULL,
    marked       SMALLINT NOT NULL,
    hostname     TEXT     COLLATE "C" NOT NULL,
    mask         TEXT     NOT NULL,
    sample       TEXT     NOT NULL
);
CREATE INDEX unhandled_counters_hostname ON unhandled_counters (hostname);
CREATE INDEX unhandled_counters_expiry ON unhandled_counters (expires_at);

-- The entries that were counted: a redelivered one does not count again.
CREATE TABLE unhandled_entries (
    entry_id   UUID   PRIMARY KEY,
    created_at BIGINT NOT NULL
);
