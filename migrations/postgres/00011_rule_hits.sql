-- +goose Up
-- How often each rule won, by the hour of the receipt: hour counts hours since 1970, last_at is the time of the newest of these events in
-- Unix µs. Rows are folded out of rule_hits_pending: docs/adr/0034-hits-of-rules.md
CREATE TABLE rule_hits (
    rule_id BIGINT NOT NULL,
    hour    BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (rule_id, hour)
) WITH (fillfactor = 50); -- rows are counted up for an hour: the new version stays on its page

-- The hits of one audit transaction each, encoded by platform/store/hits.go, until they are folded.
CREATE TABLE rule_hits_pending (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hits BYTEA  NOT NULL
);
