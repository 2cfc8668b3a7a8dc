-- +goose Up
-- One row for each judged event: the decision that publication follows. id is MUTT's UUIDv7, so it orders by time.
-- source, handling, fate: the numbers of platform/event. environment: 0 prod, 1 dev. severity: the destination's scale.
CREATE TABLE event_audit (
    id              BLOB    NOT NULL,
    received_at     INTEGER NOT NULL,
    event_timestamp INTEGER NOT NULL,
    hostname        TEXT    NOT NULL,
    source          INTEGER NOT NULL,
    severity        INTEGER NOT NULL,
    syslog_severity INTEGER,
    matched_rule_id INTEGER,
    rule_name       TEXT    NOT NULL,
    handling        INTEGER NOT NULL,
    fate            INTEGER NOT NULL,
    environment     INTEGER NOT NULL,
    team            TEXT    NOT NULL,
    signature       TEXT    NOT NULL,
    ruleset_version INTEGER NOT NULL,
    correlation_id  TEXT    NOT NULL,
    raw_message     TEXT    NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX event_audit_hostname ON event_audit (hostname, id);
CREATE INDEX event_audit_rule ON event_audit (matched_rule_id, id) WHERE matched_rule_id IS NOT NULL;

-- The queue entries that were judged (kind 0) or are judged in parts (kind 1): redelivery is caught here.
CREATE TABLE ledger_batches (
    entry_id   BLOB    PRIMARY KEY,
    kind       INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
