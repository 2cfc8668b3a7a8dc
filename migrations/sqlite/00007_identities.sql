-- +goose Up
-- A key can have a second secret that is accepted too: the one that comes next, or the one that goes.
ALTER TABLE api_keys ADD COLUMN rate_limit INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN second BLOB;
ALTER TABLE api_keys ADD COLUMN second_until INTEGER;
ALTER TABLE api_keys ADD COLUMN second_used INTEGER;

-- key_hash is the secret that a session was opened with; without one, name and role are those of an external identity.
CREATE TABLE ui_sessions (
    token_hash BLOB    PRIMARY KEY,
    key_hash   BLOB,
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
