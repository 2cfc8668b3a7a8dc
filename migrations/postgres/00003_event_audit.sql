-- +goose Up
-- One row for each judged event: the decision that publication follows. id is MUTT's UUIDv7, so it orders by time.
-- source, handling, fate: the numbers of platform/event. environment: 0 prod, 1 dev. severity: the destination's scale.
-- Partitions are ranges of id, that is of time. Redelivery is caught by ledger_batches; the key sees to it that an
-- event that was put back from the dead letters has one row all the same.
-- Wide columns come first, so that none is padded. The indexes were chosen by measurement: docs/adr/0011-audit-indexes.md.
CREATE TABLE event_audit (
    id              UUID     NOT NULL,
    received_at     BIGINT   NOT NULL,
    event_timestamp BIGINT   NOT NULL,
    ruleset_version BIGINT   NOT NULL,
    matched_rule_id BIGINT,
    source          SMALLINT NOT NULL,
    severity        SMALLINT NOT NULL,
    syslog_severity SMALLINT,
    handling        SMALLINT NOT NULL,
    fate            SMALLINT NOT NULL,
    environment     SMALLINT NOT NULL,
    hostname        TEXT     COLLATE "C" NOT NULL,
    rule_name       TEXT     COLLATE "C" NOT NULL,
    team            TEXT     COLLATE "C" NOT NULL,
    signature       TEXT     COLLATE "C" NOT NULL,
    correlation_id  TEXT     COLLATE "C" NOT NULL,
    raw_message     TEXT     COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX event_audit_hostname ON event_audit (hostname, id);
CREATE INDEX event_audit_rule ON event_audit (matched_rule_id, id) WHERE matched_rule_id IS NOT NULL;

-- What no other partition takes: no row is ever refused.
CREATE TABLE event_audit_default PARTITION OF event_audit DEFAULT;

-- The queue entries that were judged (kind 0) or are judged in parts (kind 1): redelivery is caught here.
CREATE TABLE ledger_batches (
    entry_id   UUID     PRIMARY KEY,
    kind       SMALLINT NOT NULL,
    created_at BIGINT   NOT NULL
);
