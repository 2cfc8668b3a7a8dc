-- +goose Up
-- One row: the counters that every process polls, and the head of the change audit's hash chain.
-- ruleset_version grows only when rules, hosts or teams change.
CREATE TABLE revisions (
    id              INTEGER PRIMARY KEY CHECK (id = 1),
    revision        INTEGER NOT NULL,
    ruleset_version INTEGER NOT NULL,
    audit_id        INTEGER NOT NULL,
    audit_hash      TEXT    NOT NULL
);
INSERT INTO revisions (id, revision, ruleset_version, audit_id, audit_hash) VALUES (1, 0, 0, 0, '');

-- definition is the rule as a JSON object, without id, name and revision.
CREATE TABLE alert_rules (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    definition TEXT    NOT NULL,
    revision   INTEGER NOT NULL
);

CREATE TABLE development_hosts (
    hostname TEXT    PRIMARY KEY,
    revision INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE device_teams (
    hostname        TEXT    PRIMARY KEY,
    team_assignment TEXT    NOT NULL,
    revision        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE dynamic_config (
    key        TEXT    PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    revision   INTEGER NOT NULL
) WITHOUT ROWID;

-- Times are Unix microseconds, here and everywhere; NULL is never.
CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    bootstrap  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used  INTEGER,
    revision   INTEGER NOT NULL
);
