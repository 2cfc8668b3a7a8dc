-- +goose Up
-- Append-only. id counts without gaps; hash covers the row and prev_hash.
CREATE TABLE config_audit_log (
    id             BIGINT PRIMARY KEY,
    changed_at     BIGINT NOT NULL,
    changed_by     TEXT   COLLATE "C" NOT NULL,
    operation      TEXT   COLLATE "C" NOT NULL CHECK (operation IN ('CREATE', 'UPDATE', 'DELETE')),
    table_name     TEXT   COLLATE "C" NOT NULL,
    record_id      TEXT   COLLATE "C" NOT NULL,
    old_value      TEXT,
    new_value      TEXT,
    reason         TEXT   NOT NULL,
    correlation_id TEXT   NOT NULL,
    revision       BIGINT NOT NULL,
    prev_hash      TEXT   NOT NULL,
    hash           TEXT   NOT NULL
);
CREATE INDEX config_audit_log_record ON config_audit_log (table_name, record_id, id);

-- +goose StatementBegin
CREATE FUNCTION config_audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'config_audit_log is append-only';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER config_audit_log_no_update BEFORE UPDATE ON config_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION config_audit_log_refuse();
CREATE TRIGGER config_audit_log_no_delete BEFORE DELETE ON config_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION config_audit_log_refuse();
CREATE TRIGGER config_audit_log_no_truncate BEFORE TRUNCATE ON config_audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION config_audit_log_refuse();

-- In a session that applies replicated changes too.
ALTER TABLE config_audit_log ENABLE ALWAYS TRIGGER config_audit_log_no_update;
ALTER TABLE config_audit_log ENABLE ALWAYS TRIGGER config_audit_log_no_delete;
ALTER TABLE config_audit_log ENABLE ALWAYS TRIGGER config_audit_log_no_truncate;
