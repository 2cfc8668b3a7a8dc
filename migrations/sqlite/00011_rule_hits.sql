-- +goose Up
-- How often each rule won, by the hour of the receipt: hour counts hours since 1970, last_at is the time of the newest of these events in
-- Unix µs. Rows are folded out of rule_hits_pending: docs/adr/0034-hits-of-rules.md
CREATE TABLE rule_hits (
    rule_id INTEGER NOT NULL,
    hour    INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (rule_id, hour)
) WITHOUT ROWID;

-- The hits of one audit transaction each, encoded by platform/store/hits.go, until they are folded.
CREATE TABLE rule_hits_pending (
    id   INTEGER PRIMARY KEY,
    hits BLOB    NOT NULL
);
