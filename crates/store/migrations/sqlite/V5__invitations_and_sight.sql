-- Who was asked to come into a room, and has not answered.
CREATE TABLE invitations (
    app           INTEGER NOT NULL,
    room          TEXT NOT NULL,
    invitee       TEXT NOT NULL,
    inviter       TEXT NOT NULL,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    PRIMARY KEY (app, room, invitee)
) WITHOUT ROWID;
CREATE INDEX invitations_to ON invitations (app, invitee, updated_ms, room);
CREATE INDEX invitations_by ON invitations (app, inviter);

-- 1: owner or managers took it out of the others' sight.
ALTER TABLE messages ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_hidden ON messages (app, room, seq) WHERE hidden = 1;
CREATE INDEX messages_by_batch ON messages (app, batch, id) WHERE batch IS NOT NULL;

-- Messages somebody deleted for himself alone.
CREATE TABLE put_away (
    app           INTEGER NOT NULL,
    user_id       TEXT NOT NULL,
    room          TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    message       TEXT NOT NULL,
    at_ms         INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, room, seq)
) WITHOUT ROWID;
CREATE INDEX put_away_by_room ON put_away (app, room);

-- Everything up to this place he deleted for himself at once, and when.
ALTER TABLE members ADD COLUMN cleared_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN cleared_ms INTEGER;

-- What a user group keeps about a room, for the clients of those in it.
CREATE TABLE group_prefs (
    app           INTEGER NOT NULL,
    grp           TEXT NOT NULL,
    room          TEXT NOT NULL,
    pref          TEXT NOT NULL,
    PRIMARY KEY (app, grp, room)
) WITHOUT ROWID;
CREATE INDEX group_prefs_by_room ON group_prefs (app, room);

-- Sets of stickers, as the app gave them.
CREATE TABLE stickers (
    app           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    -- Where it stands among the others.
    place         INTEGER NOT NULL,
    -- JSON.
    value         TEXT NOT NULL,
    updated_ms    INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('invitations', 'invitations', '100000 100000 10 1'),
    ('invitations', 'invitations_to', '100000 100000 5 1 1'),
    ('invitations', 'invitations_by', '100000 100000 10'),
    ('messages', 'messages_hidden', '10000 10000 10 1'),
    ('messages', 'messages_by_batch', '1000000 1000000 100 1'),
    ('put_away', 'put_away', '1000000 1000000 100 10 1'),
    ('put_away', 'put_away_by_room', '1000000 1000000 50'),
    ('group_prefs', 'group_prefs', '10000 10000 10 1'),
    ('group_prefs', 'group_prefs_by_room', '10000 10000 2'),
    ('stickers', 'stickers', '100 100 1');
ANALYZE sqlite_schema;
