-- +goose Up
-- How far the last rotation of each secret has come: versions in Vault, never a secret. The change audit has the steps.
CREATE TABLE secret_rotations (
    subject    TEXT    NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    base       INTEGER NOT NULL,
    staged     INTEGER NOT NULL,
    promoted   INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    started_by TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT    NOT NULL,
    revision   INTEGER NOT NULL
) STRICT;
