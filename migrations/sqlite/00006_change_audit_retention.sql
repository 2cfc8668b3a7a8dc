-- +goose Up
-- Where the change audit begins since retention removed what was before: one row for each removal, kept for ever.
-- Writing an anchor removes the rows up to it, in the same statement; nothing else removes a row. So no row is ever
-- there that an anchor allows to be removed. docs/adr/0014-retention-anchors.md
CREATE TABLE config_audit_anchors (
    audit_id   INTEGER PRIMARY KEY, -- the last row that was removed
    hash       TEXT    NOT NULL,    -- of that row: the next one continues it
    removed    INTEGER NOT NULL,    -- how many rows
    older_than INTEGER NOT NULL,    -- all of them were changed before this
    made_at    INTEGER NOT NULL
);

-- An anchor must say the truth about the rows that it removes, and name no row of younger age.
-- +goose StatementBegin
CREATE TRIGGER config_audit_anchors_check BEFORE INSERT ON config_audit_anchors
WHEN NEW.hash IS NOT (SELECT hash FROM config_audit_log WHERE id = NEW.audit_id)
    OR NEW.removed <> (SELECT count(*) FROM config_audit_log WHERE id <= NEW.audit_id)
    OR NEW.older_than <= (SELECT max(changed_at) FROM config_audit_log WHERE id <= NEW.audit_id)
    OR NEW.audit_id <= (SELECT max(audit_id) FROM config_audit_anchors)
BEGIN
    SELECT RAISE(ABORT, 'config_audit_anchors: the anchor does not fit the rows up to it');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER config_audit_anchors_retain AFTER INSERT ON config_audit_anchors
BEGIN
    DELETE FROM config_audit_log WHERE id <= NEW.audit_id;
END;
-- +goose StatementEnd

-- A row of the change audit goes only when an anchor covers it.
DROP TRIGGER config_audit_log_no_delete;
-- +goose StatementBegin
CREATE TRIGGER config_audit_log_no_delete BEFORE DELETE ON config_audit_log
WHEN NOT EXISTS (SELECT 1 FROM config_audit_anchors WHERE audit_id >= OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'config_audit_log is append-only');
END;
-- +goose StatementEnd

-- INSERT OR REPLACE deletes without firing DELETE triggers: a row that is there, or was, has no second coming.
DROP TRIGGER config_audit_log_no_replace;
-- +goose StatementBegin
CREATE TRIGGER config_audit_log_no_replace BEFORE INSERT ON config_audit_log
WHEN NEW.id <= (SELECT max(id) FROM config_audit_log) OR NEW.id <= (SELECT max(audit_id) FROM config_audit_anchors)
BEGIN
    SELECT RAISE(ABORT, 'config_audit_log is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER config_audit_anchors_no_update BEFORE UPDATE ON config_audit_anchors
BEGIN
    SELECT RAISE(ABORT, 'config_audit_anchors is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER config_audit_anchors_no_delete BEFORE DELETE ON config_audit_anchors
BEGIN
    SELECT RAISE(ABORT, 'config_audit_anchors is append-only');
END;
-- +goose StatementEnd
