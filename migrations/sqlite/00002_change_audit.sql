-- +goose Up
-- Append-only. id counts without gaps; hash covers the row and prev_hash.
CREATE TABLE config_audit_log (
    id             INTEGER PRIMARY KEY,
    changed_at     INTEGER NOT NULL,
    changed_by     TEXT    NOT NULL,
    operation      TEXT    NOT NULL CHECK (operation IN ('CREATE', 'UPDATE', 'DELETE')),
    table_name     TEXT    NOT NULL,
    record_id      TEXT    NOT NULL,
    old_value      TEXT,
    new_value      TEXT,
    reason         TEXT    NOT NULL,
    correlation_id TEXT    NOT NULL,
    revision       INTEGER NOT NULL,
    prev_hash      TEXT    NOT NULL,
    hash           TEXT    NOT NULL
);
CREATE INDEX config_audit_log_record ON config_audit_log (table_name, record_id, id);

-- INSERT OR REPLACE deletes without firing DELETE triggers, so an old id is refused before it gets there.
-- +goose StatementBegin
CREATE TRIGGER config_audit_log_no_replace BEFORE INSERT ON config_audit_log
WHEN NEW.id <= (SELECT max(id) FROM config_audit_log)
BEGIN
    SELECT RAISE(ABORT, 'config_audit_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER config_audit_log_no_update BEFORE UPDATE ON config_audit_log
BEGIN
    SELECT RAISE(ABORT, 'config_audit_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER config_audit_log_no_delete BEFORE DELETE ON config_audit_log
BEGIN
    SELECT RAISE(ABORT, 'config_audit_log is append-only');
END;
-- +goose StatementEnd
