-- +goose Up
-- Where the change audit begins since retention removed what was before: one row for each removal, kept for ever.
-- Writing an anchor removes the rows up to it, in the same statement; nothing else removes a row. So no row is ever
-- there that an anchor allows to be removed. docs/adr/0014-retention-anchors.md
CREATE TABLE config_audit_anchors (
    audit_id   BIGINT PRIMARY KEY,       -- the last row that was removed
    hash       TEXT   COLLATE "C" NOT NULL, -- of that row: the next one continues it
    removed    BIGINT NOT NULL,          -- how many rows
    older_than BIGINT NOT NULL,          -- all of them were changed before this
    made_at    BIGINT NOT NULL
);

-- An anchor must say the truth about the rows that it removes, and name no row of younger age.
-- +goose StatementBegin
CREATE FUNCTION config_audit_anchor_check() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rows BIGINT; youngest BIGINT; last_hash TEXT; last_anchor BIGINT;
BEGIN
    EXECUTE format('SELECT count(*), max(changed_at) FROM %I.config_audit_log WHERE id <= $1', TG_TABLE_SCHEMA)
        INTO rows, youngest USING NEW.audit_id;
    EXECUTE format('SELECT hash FROM %I.config_audit_log WHERE id = $1', TG_TABLE_SCHEMA) INTO last_hash USING NEW.audit_id;
    EXECUTE format('SELECT max(audit_id) FROM %I.config_audit_anchors', TG_TABLE_SCHEMA) INTO last_anchor;
    IF last_hash IS DISTINCT FROM NEW.hash OR rows <> NEW.removed OR youngest >= NEW.older_than OR last_anchor >= NEW.audit_id THEN
        RAISE EXCEPTION 'config_audit_anchors: the anchor does not fit the rows up to %', NEW.audit_id;
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER config_audit_anchors_check BEFORE INSERT ON config_audit_anchors
    FOR EACH ROW EXECUTE FUNCTION config_audit_anchor_check();

-- Retention's own function. It runs with the rights of its owner, so that a role that may only INSERT here needs no
-- right to delete; names are those of the table's schema, whatever the caller's search_path is.
-- +goose StatementBegin
CREATE FUNCTION config_audit_retain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.config_audit_log WHERE id <= $1', TG_TABLE_SCHEMA) USING NEW.audit_id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION config_audit_retain() FROM PUBLIC;
CREATE TRIGGER config_audit_anchors_retain AFTER INSERT ON config_audit_anchors
    FOR EACH ROW EXECUTE FUNCTION config_audit_retain();

-- A row of the change audit goes only when an anchor covers it.
-- +goose StatementBegin
CREATE FUNCTION config_audit_log_keep() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    covered BOOLEAN;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I.config_audit_anchors WHERE audit_id >= $1)', TG_TABLE_SCHEMA)
        INTO covered USING OLD.id;
    IF NOT covered THEN
        RAISE EXCEPTION 'config_audit_log is append-only';
    END IF;
    RETURN OLD;
END
$$;
-- +goose StatementEnd
DROP TRIGGER config_audit_log_no_delete ON config_audit_log;
CREATE TRIGGER config_audit_log_no_delete BEFORE DELETE ON config_audit_log
    FOR EACH ROW EXECUTE FUNCTION config_audit_log_keep();

-- +goose StatementBegin
CREATE FUNCTION config_audit_anchors_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'config_audit_anchors is append-only';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER config_audit_anchors_no_edit BEFORE UPDATE OR DELETE OR TRUNCATE ON config_audit_anchors
    FOR EACH STATEMENT EXECUTE FUNCTION config_audit_anchors_refuse();

-- In a session that applies replicated changes too.
ALTER TABLE config_audit_log ENABLE ALWAYS TRIGGER config_audit_log_no_delete;
ALTER TABLE config_audit_anchors ENABLE ALWAYS TRIGGER config_audit_anchors_check;
ALTER TABLE config_audit_anchors ENABLE ALWAYS TRIGGER config_audit_anchors_no_edit;
