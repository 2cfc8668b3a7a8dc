-- +goose Up
-- The judging book: events by the minute in which they were judged, the process that judged, source and fate.
CREATE TABLE ledger (
    minute  BIGINT   NOT NULL,
    process TEXT     COLLATE "C" NOT NULL,
    source  SMALLINT NOT NULL,
    fate    SMALLINT NOT NULL,
    n       BIGINT   NOT NULL,
    PRIMARY KEY (minute, process, source, fate)
) WITH (fillfactor = 50); -- rows are counted up for a minute: the new version stays on its page

-- The queue's own counters, folded in: n is the running total of its process run.
CREATE TABLE folded_counts (
    minute  BIGINT NOT NULL,
    process TEXT   COLLATE "C" NOT NULL,
    kind    TEXT   COLLATE "C" NOT NULL,
    label   TEXT   COLLATE "C" NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (minute, process, kind, label)
) WITH (fillfactor = 50);
