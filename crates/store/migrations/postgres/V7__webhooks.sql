-- Where an app is told of moderation, and which secret its webhooks are signed with.
CREATE TABLE webhooks (
    app           BIGINT NOT NULL PRIMARY KEY,
    -- NULL: nowhere; the row remembers the secret.
    url           TEXT,
    -- JSON: names of events; an empty list is all of them.
    events        TEXT NOT NULL DEFAULT '[]',
    -- Which secret, counted from 1 on; none is stored. 0: nobody has seen one.
    secret_no     BIGINT NOT NULL DEFAULT 0,
    rotated_ms    BIGINT NOT NULL DEFAULT 0
);

-- What is told by request: one row an event, under the event's own id.
CREATE TABLE deliveries (
    app           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    -- A room; '': the app's own webhook. Each target's rows go in the order of their ids.
    target        TEXT COLLATE "C" NOT NULL,
    event         TEXT COLLATE "C" NOT NULL,
    -- What is sent, to the letter.
    body          TEXT NOT NULL,
    state         TEXT COLLATE "C" NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'dead', 'done')),
    -- How often it failed, and why it did the last time.
    failed        BIGINT NOT NULL DEFAULT 0,
    reason        TEXT,
    made_ms       BIGINT NOT NULL,
    -- Since when it is tried, and when it is to be tried next.
    since_ms      BIGINT NOT NULL,
    due_ms        BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);
CREATE INDEX deliveries_by_target ON deliveries (app, target, state, id);
CREATE INDEX deliveries_by_state ON deliveries (state, app, id);

-- What the room's robot last said its state was.
ALTER TABLE rooms ADD COLUMN bot_state TEXT NOT NULL DEFAULT '';

-- Who set the room's webhook; NULL: the platform. Of those that are there already the owner is taken to have.
ALTER TABLE rooms ADD COLUMN webhook_by TEXT COLLATE "C";
UPDATE rooms SET webhook_by = owner WHERE webhook <> '';

-- Apps whose rooms have webhooks already are told from here on.
INSERT INTO cursors (app, name, next)
    SELECT DISTINCT r.app, 'webhooks',
        COALESCE((SELECT MAX(e.id) FROM events e WHERE e.app = r.app), '000000000000000000000000')
    FROM rooms r WHERE r.webhook <> '';
