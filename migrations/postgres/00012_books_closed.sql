-- +goose Up
-- Up to which minute the queue's counters of a process run were merged into hours (rows of the books with process ''). A total that comes
-- for such a minute is in the hour already: docs/adr/0035-old-books-are-merged.md. closed_at is in Unix µs.
CREATE TABLE books_closed (
    process   TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    minute    BIGINT NOT NULL,
    closed_at BIGINT NOT NULL
);
