-- What a user keeps here for his own clients.
CREATE TABLE prefs (
    app           INTEGER NOT NULL,
    user_id       TEXT NOT NULL,
    name          TEXT NOT NULL,
    -- JSON.
    value         TEXT NOT NULL,
    PRIMARY KEY (app, user_id, name)
) WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('prefs', 'prefs', '1000000 1000000 5 1');
ANALYZE sqlite_schema;
