-- What Banter remembers. Every key starts with the app, so every table can be spread by
-- (app, room) or (app, user). Times are milliseconds since the epoch, flags are 0 and 1,
-- lists and free-form objects are JSON texts.

CREATE TABLE IF NOT EXISTS meta (
    name          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value         TEXT NOT NULL
);

CREATE TABLE apps (
    app           BIGINT NOT NULL PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL UNIQUE,
    api_key_hash  TEXT COLLATE "C" NOT NULL UNIQUE,
    api_key_tail  TEXT NOT NULL,
    client_key    TEXT COLLATE "C" NOT NULL UNIQUE,
    created_ms    BIGINT NOT NULL
);

CREATE TABLE users (
    app           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('person', 'group')),
    nickname      TEXT,
    avatar_url    TEXT,
    description   TEXT,
    is_robot      BIGINT NOT NULL DEFAULT 0,
    notifications BIGINT NOT NULL DEFAULT 1,
    last_login_ms BIGINT NOT NULL DEFAULT 0,
    created_ms    BIGINT NOT NULL,
    updated_ms    BIGINT NOT NULL,
    last_room_ms  BIGINT,
    custom        TEXT NOT NULL DEFAULT '{}',
    -- Id and nickname, case folded, for "holds this text".
    fold          TEXT NOT NULL,
    PRIMARY KEY (app, id)
);

CREATE TABLE group_members (
    app           BIGINT NOT NULL,
    grp           TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (app, grp, user_id)
);
CREATE INDEX group_members_by_user ON group_members (app, user_id, grp);

CREATE TABLE tokens (
    app           BIGINT NOT NULL,
    -- Keyed hash; the token itself is never stored (R-18).
    hash          TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    created_ms    BIGINT NOT NULL,
    updated_ms    BIGINT NOT NULL,
    expires_ms    BIGINT NOT NULL,
    PRIMARY KEY (app, hash)
);
CREATE INDEX tokens_by_user ON tokens (app, user_id);
CREATE INDEX tokens_by_end ON tokens (app, expires_ms);

CREATE TABLE mutes (
    app           BIGINT NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (app, user_id, room)
);

CREATE TABLE rooms (
    app             BIGINT NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('direct', 'group', 'custom')),
    -- The two of a direct room.
    low             TEXT COLLATE "C",
    high            TEXT COLLATE "C",
    owner           TEXT COLLATE "C",
    name            TEXT,
    cover           TEXT,
    description     TEXT,
    tags            TEXT NOT NULL DEFAULT '[]',
    webhook         TEXT,
    bot_mode        BIGINT NOT NULL DEFAULT 0,
    ext_params      TEXT,
    frozen          BIGINT NOT NULL DEFAULT 0,
    closed          BIGINT NOT NULL DEFAULT 0,
    -- 1: made by a block and opened by nobody: outsiders cannot tell it from none (R-09).
    secret          BIGINT NOT NULL DEFAULT 0,
    -- The room's order: messages, bans and freezes take their places from here.
    last_seq        BIGINT NOT NULL DEFAULT 0,
    -- How many messages ever counted as unread for somebody.
    last_count      BIGINT NOT NULL DEFAULT 0,
    total           BIGINT NOT NULL DEFAULT 0,
    last_message    BIGINT,
    last_message_ms BIGINT NOT NULL DEFAULT 0,
    pinned          TEXT COLLATE "C",
    created_ms      BIGINT NOT NULL,
    PRIMARY KEY (app, id),
    CHECK ((kind = 'direct') = (low IS NOT NULL AND high IS NOT NULL AND low < high))
);

-- The room of a pair: where blocks stand and where "open a direct room" leads.
CREATE TABLE pairs (
    app           BIGINT NOT NULL,
    low           TEXT COLLATE "C" NOT NULL,
    high          TEXT COLLATE "C" NOT NULL,
    room          TEXT COLLATE "C",
    PRIMARY KEY (app, low, high),
    CHECK (low < high)
);

CREATE TABLE members (
    app              BIGINT NOT NULL,
    room             TEXT COLLATE "C" NOT NULL,
    user_id          TEXT COLLATE "C" NOT NULL,
    -- 0: not a member himself; the row remembers how far he read through a user group.
    member           BIGINT NOT NULL DEFAULT 1,
    manager          BIGINT NOT NULL DEFAULT 0,
    -- A room made by a block is hidden from the blocked side until it is opened (R-09).
    hidden           BIGINT NOT NULL DEFAULT 0,
    -- When the room was made as far as he may know; NULL: when it was.
    shown_created_ms BIGINT,
    joined_ms        BIGINT NOT NULL,
    -- When he left; such a row has member = 0 and remembers only that he was here.
    left_ms          BIGINT,
    read_count       BIGINT NOT NULL DEFAULT 0,
    read_message     TEXT COLLATE "C",
    -- What the others may know of it: stands still while a ban or block holds.
    shown_count      BIGINT NOT NULL DEFAULT 0,
    shown_message    TEXT COLLATE "C",
    properties       TEXT NOT NULL DEFAULT '{}',
    pref             TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (app, room, user_id)
);
CREATE INDEX members_by_user ON members (app, user_id, room);

CREATE TABLE messages (
    app           BIGINT NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    sender        TEXT COLLATE "C" NOT NULL,
    kind          TEXT NOT NULL,
    text          TEXT NOT NULL,
    body          TEXT NOT NULL DEFAULT '{}',
    reply         TEXT COLLATE "C",
    batch         TEXT,
    message_ms    BIGINT NOT NULL,
    created_ms    BIGINT NOT NULL,
    updated_ms    BIGINT NOT NULL,
    edited_ms     BIGINT,
    -- The room's count with this message; counts = 0: unread for nobody.
    count_no      BIGINT NOT NULL,
    counts        BIGINT NOT NULL,
    -- 1: sent past a block or ban by an API key that said so (R-16).
    forced        BIGINT NOT NULL DEFAULT 0,
    -- 0: not yet in the search index.
    indexed       BIGINT NOT NULL DEFAULT 0,
    -- 1: deleted; only its place and count remain.
    gone          BIGINT NOT NULL DEFAULT 0,
    UNIQUE (app, room, seq),
    UNIQUE (app, id)
);
CREATE INDEX messages_by_change ON messages (app, room, updated_ms);
CREATE INDEX messages_to_index ON messages (app, room, seq) WHERE indexed = 0;
CREATE INDEX messages_gone ON messages (app, room, count_no) WHERE gone = 1 AND counts = 1;

CREATE TABLE mentions (
    app           BIGINT NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    count_no      BIGINT NOT NULL,
    PRIMARY KEY (app, user_id, room, seq)
);
CREATE INDEX mentions_by_room ON mentions (app, room, seq);

CREATE TABLE reactions (
    app           BIGINT NOT NULL,
    message       TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    reaction      TEXT COLLATE "C" NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (app, message, user_id, reaction)
);

-- Blocks and bans, lifted ones too: one record a pair of users, one a user and room.
CREATE TABLE relations (
    app             BIGINT NOT NULL,
    id              TEXT COLLATE "C" NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('block', 'ban')),
    blocker         TEXT COLLATE "C" NOT NULL,
    blockee         TEXT COLLATE "C" NOT NULL,
    room            TEXT COLLATE "C" NOT NULL,
    -- What the lists show of the room, kept here so that a page of a list is one range.
    room_kind       TEXT NOT NULL,
    room_created_ms BIGINT NOT NULL,
    created_ms      BIGINT NOT NULL,
    updated_ms      BIGINT NOT NULL,
    lifted_ms       BIGINT,
    -- 1: it holds and its room exists, so the lists show it (R-14).
    listed          BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (app, id),
    CHECK (listed = 0 OR lifted_ms IS NULL),
    CHECK (blocker <> blockee OR kind = 'ban')
);
CREATE UNIQUE INDEX relations_block ON relations (app, blocker, blockee) WHERE kind = 'block';
CREATE UNIQUE INDEX relations_ban ON relations (app, room, blockee) WHERE kind = 'ban';
CREATE INDEX relations_of_blocker ON relations (app, blocker, updated_ms, id) WHERE listed = 1;
CREATE INDEX relations_of_room ON relations (app, room, updated_ms, id) WHERE listed = 1;
CREATE INDEX relations_of_blocker_since ON relations (app, blocker, updated_ms, id);
CREATE INDEX relations_of_room_since ON relations (app, room, updated_ms, id);
CREATE INDEX relations_of_blockee ON relations (app, kind, blockee) WHERE listed = 1;

CREATE TABLE audit (
    app           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    -- 'platform', 'operator' or 'user'; a user's id stands in actor.
    doer          TEXT NOT NULL,
    actor         TEXT COLLATE "C",
    action        TEXT COLLATE "C" NOT NULL,
    target        TEXT COLLATE "C",
    room          TEXT COLLATE "C",
    at_ms         BIGINT NOT NULL,
    address       TEXT,
    detail        TEXT,
    -- Of a lifted relation: how long it held.
    held_ms       BIGINT,
    PRIMARY KEY (app, id)
);
CREATE INDEX audit_by_action ON audit (app, action, id);
CREATE INDEX audit_by_actor ON audit (app, actor, id);
CREATE INDEX audit_by_target ON audit (app, target, id);
CREATE INDEX audit_by_room ON audit (app, room, id);

-- Figures that are counted and not derived: refused acts by reason and hour.
CREATE TABLE tallies (
    app           BIGINT NOT NULL,
    hour_ms       BIGINT NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    count         BIGINT NOT NULL,
    PRIMARY KEY (app, hour_ms, name)
);

-- The outbox: what the world must hear, written with the change (R-22).
CREATE TABLE events (
    app           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    topic         TEXT NOT NULL,
    room          TEXT COLLATE "C",
    seq           BIGINT,
    user_id       TEXT COLLATE "C",
    payload       TEXT,
    PRIMARY KEY (app, id)
);

CREATE TABLE config (
    app           BIGINT NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    value         TEXT NOT NULL,
    PRIMARY KEY (app, name)
);

CREATE TABLE search (
    app           BIGINT NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    seq           BIGINT NOT NULL,
    tokens        TSVECTOR NOT NULL,
    PRIMARY KEY (app, room, seq)
);
CREATE INDEX search_tokens ON search USING gin (tokens);

INSERT INTO meta (name, value) VALUES ('min_binary', '1');
