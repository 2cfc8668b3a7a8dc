-- +goose Up
-- How far the last rotation of each secret has come: versions in Vault, never a secret. The change audit has the steps.
CREATE TABLE secret_rotations (
    subject    TEXT   COLLATE "C" PRIMARY KEY,
    id         TEXT   NOT NULL,
    step       TEXT   NOT NULL,
    base       BIGINT NOT NULL,
    staged     BIGINT NOT NULL,
    promoted   BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    started_by TEXT   NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT   NOT NULL,
    revision   BIGINT NOT NULL
);
