-- Who was asked to come into a room, and has not answered.
CREATE TABLE invitations (
    app           BIGINT NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    invitee       TEXT COLLATE "C" NOT NULL,
    inviter       TEXT COLLATE "C" NOT NULL,
    created_ms    BIGINT NOT NULL,
    updated_ms    BIGINT NOT NULL,
    PRIMARY KEY (app, room, invitee)
);
CREATE INDEX invitations_to ON invitations (app, invitee, updated_ms, room);
CREATE INDEX invitations_by ON invitations (app, inviter);

-- 1: owner or managers took it out of the others' sight.
ALTER TABLE messages ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;
CREATE INDEX messages_hidden ON messages (app, room, seq) WHERE hidden = 1;
CREATE INDEX messages_by_batch ON messages (app, batch, id) WHERE batch IS NOT NULL;

-- Messages somebody deleted for himself alone.
CREATE TABLE put_away (
    app           BIGINT NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    message       TEXT COLLATE "C" NOT NULL,
    at_ms         BIGINT NOT NULL,
    PRIMARY KEY (app, user_id, room, seq)
);
CREATE INDEX put_away_by_room ON put_away (app, room);

-- Everything up to this place he deleted for himself at once, and when.
ALTER TABLE members ADD COLUMN cleared_seq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN cleared_ms BIGINT;

-- What a user group keeps about a room, for the clients of those in it.
CREATE TABLE group_prefs (
    app           BIGINT NOT NULL,
    grp           TEXT COLLATE "C" NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    pref          TEXT NOT NULL,
    PRIMARY KEY (app, grp, room)
);
CREATE INDEX group_prefs_by_room ON group_prefs (app, room);

-- Sets of stickers, as the app gave them.
CREATE TABLE stickers (
    app           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    -- Where it stands among the others.
    place         BIGINT NOT NULL,
    -- JSON.
    value         TEXT NOT NULL,
    updated_ms    BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);
