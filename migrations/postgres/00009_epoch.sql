-- +goose Up
-- The epoch grows when a process finds that this database does not continue what the processes worked by: it was restored
-- from an older state. (epoch, revision) only grows, whatever becomes of the database. docs/adr/0021-epoch-of-the-store.md
ALTER TABLE revisions ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
