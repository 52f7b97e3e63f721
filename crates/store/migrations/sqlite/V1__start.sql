-- What Banter remembers. Every key starts with the app, so every table can be spread by
-- (app, room) or (app, user). Times are milliseconds since the epoch, flags are 0 and 1,
-- lists and free-form objects are JSON texts.

CREATE TABLE IF NOT EXISTS meta (
    name          TEXT NOT NULL PRIMARY KEY,
    value         TEXT NOT NULL
);

CREATE TABLE apps (
    app           INTEGER NOT NULL PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    api_key_hash  TEXT NOT NULL UNIQUE,
    api_key_tail  TEXT NOT NULL,
    client_key    TEXT NOT NULL UNIQUE,
    created_ms    INTEGER NOT NULL
);

CREATE TABLE users (
    app           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('person', 'group')),
    nickname      TEXT,
    avatar_url    TEXT,
    description   TEXT,
    is_robot      INTEGER NOT NULL DEFAULT 0,
    notifications INTEGER NOT NULL DEFAULT 1,
    last_login_ms INTEGER NOT NULL DEFAULT 0,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    last_room_ms  INTEGER,
    custom        TEXT NOT NULL DEFAULT '{}',
    -- Id and nickname, case folded, for "holds this text".
    fold          TEXT NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

CREATE TABLE group_members (
    app           INTEGER NOT NULL,
    grp           TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    PRIMARY KEY (app, grp, user_id)
) WITHOUT ROWID;
CREATE INDEX group_members_by_user ON group_members (app, user_id, grp);

CREATE TABLE tokens (
    app           INTEGER NOT NULL,
    -- Keyed hash; the token itself is never stored (R-18).
    hash          TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    PRIMARY KEY (app, hash)
) WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (app, user_id);
CREATE INDEX tokens_by_end ON tokens (app, expires_ms);

CREATE TABLE mutes (
    app           INTEGER NOT NULL,
    user_id       TEXT NOT NULL,
    room          TEXT NOT NULL,
    PRIMARY KEY (app, user_id, room)
) WITHOUT ROWID;

CREATE TABLE rooms (
    app             INTEGER NOT NULL,
    id              TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('direct', 'group', 'custom')),
    -- The two of a direct room.
    low             TEXT,
    high            TEXT,
    owner           TEXT,
    name            TEXT,
    cover           TEXT,
    description     TEXT,
    tags            TEXT NOT NULL DEFAULT '[]',
    webhook         TEXT,
    bot_mode        INTEGER NOT NULL DEFAULT 0,
    ext_params      TEXT,
    frozen          INTEGER NOT NULL DEFAULT 0,
    closed          INTEGER NOT NULL DEFAULT 0,
    -- 1: made by a block and opened by nobody: outsiders cannot tell it from none (R-09).
    secret          INTEGER NOT NULL DEFAULT 0,
    -- The room's order: messages, bans and freezes take their places from here.
    last_seq        INTEGER NOT NULL DEFAULT 0,
    -- How many messages ever counted as unread for somebody.
    last_count      INTEGER NOT NULL DEFAULT 0,
    total           INTEGER NOT NULL DEFAULT 0,
    last_message    INTEGER,
    last_message_ms INTEGER NOT NULL DEFAULT 0,
    pinned          TEXT,
    created_ms      INTEGER NOT NULL,
    PRIMARY KEY (app, id),
    CHECK ((kind = 'direct') = (low IS NOT NULL AND high IS NOT NULL AND low < high))
) WITHOUT ROWID;

-- The room of a pair: where blocks stand and where "open a direct room" leads.
CREATE TABLE pairs (
    app           INTEGER NOT NULL,
    low           TEXT NOT NULL,
    high          TEXT NOT NULL,
    room          TEXT,
    PRIMARY KEY (app, low, high),
    CHECK (low < high)
) WITHOUT ROWID;

CREATE TABLE members (
    app              INTEGER NOT NULL,
    room             TEXT NOT NULL,
    user_id          TEXT NOT NULL,
    -- 0: not a member himself; the row remembers how far he read through a user group.
    member           INTEGER NOT NULL DEFAULT 1,
    manager          INTEGER NOT NULL DEFAULT 0,
    -- A room made by a block is hidden from the blocked side until it is opened (R-09).
    hidden           INTEGER NOT NULL DEFAULT 0,
    -- When the room was made as far as he may know; NULL: when it was.
    shown_created_ms INTEGER,
    joined_ms        INTEGER NOT NULL,
    -- When he left; such a row has member = 0 and remembers only that he was here.
    left_ms          INTEGER,
    read_count       INTEGER NOT NULL DEFAULT 0,
    read_message     TEXT,
    -- What the others may know of it: stands still while a ban or block holds.
    shown_count      INTEGER NOT NULL DEFAULT 0,
    shown_message    TEXT,
    properties       TEXT NOT NULL DEFAULT '{}',
    pref             TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (app, room, user_id)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (app, user_id, room);

CREATE TABLE messages (
    -- The search index names messages by this number.
    number        INTEGER PRIMARY KEY,
    app           INTEGER NOT NULL,
    room          TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    sender        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    text          TEXT NOT NULL,
    body          TEXT NOT NULL DEFAULT '{}',
    reply         TEXT,
    batch         TEXT,
    message_ms    INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    edited_ms     INTEGER,
    -- The room's count with this message; counts = 0: unread for nobody.
    count_no      INTEGER NOT NULL,
    counts        INTEGER NOT NULL,
    -- 1: sent past a block or ban by an API key that said so (R-16).
    forced        INTEGER NOT NULL DEFAULT 0,
    -- 0: not yet in the search index.
    indexed       INTEGER NOT NULL DEFAULT 0,
    -- 1: deleted; only its place and count remain.
    gone          INTEGER NOT NULL DEFAULT 0,
    UNIQUE (app, room, seq),
    UNIQUE (app, id)
);
CREATE INDEX messages_by_change ON messages (app, room, updated_ms);
CREATE INDEX messages_to_index ON messages (app, room, seq) WHERE indexed = 0;
CREATE INDEX messages_gone ON messages (app, room, count_no) WHERE gone = 1 AND counts = 1;

CREATE TABLE mentions (
    app           INTEGER NOT NULL,
    user_id       TEXT NOT NULL,
    room          TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    count_no      INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, room, seq)
) WITHOUT ROWID;
CREATE INDEX mentions_by_room ON mentions (app, room, seq);

CREATE TABLE reactions (
    app           INTEGER NOT NULL,
    message       TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    reaction      TEXT NOT NULL,
    id            TEXT NOT NULL,
    PRIMARY KEY (app, message, user_id, reaction)
) WITHOUT ROWID;

-- Blocks and bans, lifted ones too: one record a pair of users, one a user and room.
CREATE TABLE relations (
    app             INTEGER NOT NULL,
    id              TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('block', 'ban')),
    blocker         TEXT NOT NULL,
    blockee         TEXT NOT NULL,
    room            TEXT NOT NULL,
    -- What the lists show of the room, kept here so that a page of a list is one range.
    room_kind       TEXT NOT NULL,
    room_created_ms INTEGER NOT NULL,
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    lifted_ms       INTEGER,
    -- 1: it holds and its room exists, so the lists show it (R-14).
    listed          INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (app, id),
    CHECK (listed = 0 OR lifted_ms IS NULL),
    CHECK (blocker <> blockee OR kind = 'ban')
) WITHOUT ROWID;
CREATE UNIQUE INDEX relations_block ON relations (app, blocker, blockee) WHERE kind = 'block';
CREATE UNIQUE INDEX relations_ban ON relations (app, room, blockee) WHERE kind = 'ban';
CREATE INDEX relations_of_blocker ON relations (app, blocker, updated_ms, id) WHERE listed = 1;
CREATE INDEX relations_of_room ON relations (app, room, updated_ms, id) WHERE listed = 1;
CREATE INDEX relations_of_blocker_since ON relations (app, blocker, updated_ms, id);
CREATE INDEX relations_of_room_since ON relations (app, room, updated_ms, id);
CREATE INDEX relations_of_blockee ON relations (app, kind, blockee) WHERE listed = 1;

CREATE TABLE audit (
    app           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    -- 'platform', 'operator' or 'user'; a user's id stands in actor.
    doer          TEXT NOT NULL,
    actor         TEXT,
    action        TEXT NOT NULL,
    target        TEXT,
    room          TEXT,
    at_ms         INTEGER NOT NULL,
    address       TEXT,
    detail        TEXT,
    -- Of a lifted relation: how long it held.
    held_ms       INTEGER,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;
CREATE INDEX audit_by_action ON audit (app, action, id);
CREATE INDEX audit_by_actor ON audit (app, actor, id);
CREATE INDEX audit_by_target ON audit (app, target, id);
CREATE INDEX audit_by_room ON audit (app, room, id);

-- Figures that are counted and not derived: refused acts by reason and hour.
CREATE TABLE tallies (
    app           INTEGER NOT NULL,
    hour_ms       INTEGER NOT NULL,
    name          TEXT NOT NULL,
    count         INTEGER NOT NULL,
    PRIMARY KEY (app, hour_ms, name)
) WITHOUT ROWID;

-- The outbox: what the world must hear, written with the change (R-22).
CREATE TABLE events (
    app           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    topic         TEXT NOT NULL,
    room          TEXT,
    seq           INTEGER,
    user_id       TEXT,
    payload       TEXT,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;

CREATE TABLE config (
    app           INTEGER NOT NULL,
    name          TEXT NOT NULL,
    value         TEXT NOT NULL,
    PRIMARY KEY (app, name)
) WITHOUT ROWID;

CREATE VIRTUAL TABLE search USING fts5 (
    scope, tokens, content = '', contentless_delete = 1, detail = 'full', tokenize = 'ascii'
);

INSERT INTO meta (name, value) VALUES ('min_binary', '1');
