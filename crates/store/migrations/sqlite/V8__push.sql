-- Where users are notified.
CREATE TABLE devices (
    app           INTEGER NOT NULL,
    user_id       TEXT NOT NULL,
    -- What its client calls it; empty: nothing.
    name          TEXT NOT NULL,
    -- What it registered as.
    kind          TEXT NOT NULL,
    -- Where its service finds it: a secret.
    token         TEXT NOT NULL,
    since_ms      INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, name, kind)
) WITHOUT ROWID;
-- A token is one user's at a time.
CREATE UNIQUE INDEX devices_by_token ON devices (app, token);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('devices', 'devices', '1000000 1000000 2 1 1'),
    ('devices', 'devices_by_token', '1000000 1000000 1');
ANALYZE sqlite_schema;
