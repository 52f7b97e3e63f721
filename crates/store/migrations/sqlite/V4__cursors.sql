-- How far each of those who read the outbox has come, so that a restart goes on where it was.
CREATE TABLE cursors (
    app           INTEGER NOT NULL,
    -- Who reads.
    name          TEXT NOT NULL,
    -- The first event he has not read.
    next          TEXT NOT NULL,
    PRIMARY KEY (app, name)
) WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('cursors', 'cursors', '10 10 1');
ANALYZE sqlite_schema;
