-- +goose Up
-- A key can have a second secret that is accepted too: the one that comes next, or the one that goes.
ALTER TABLE api_keys ADD COLUMN rate_limit BIGINT NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN second BYTEA;
ALTER TABLE api_keys ADD COLUMN second_until BIGINT;
ALTER TABLE api_keys ADD COLUMN second_used BIGINT;

-- key_hash is the secret that a session was opened with; without one, name and role are those of an external identity.
CREATE TABLE ui_sessions (
    token_hash BYTEA  PRIMARY KEY,
    key_hash   BYTEA,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
