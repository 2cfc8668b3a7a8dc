-- +goose Up
-- The judging book: events by the minute in which they were judged, the process that judged, source and fate.
CREATE TABLE ledger (
    minute  INTEGER NOT NULL,
    process TEXT    NOT NULL,
    source  INTEGER NOT NULL,
    fate    INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (minute, process, source, fate)
) WITHOUT ROWID;

-- The queue's own counters, folded in: n is the running total of its process run.
CREATE TABLE folded_counts (
    minute  INTEGER NOT NULL,
    process TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    label   TEXT    NOT NULL,
    n       INTEGER NOT NULL,
    PRIMARY KEY (minute, process, kind, label)
) WITHOUT ROWID;
