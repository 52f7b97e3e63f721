-- Where users are notified.
CREATE TABLE devices (
    app           BIGINT NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    -- What its client calls it; empty: nothing.
    name          TEXT COLLATE "C" NOT NULL,
    -- What it registered as.
    kind          TEXT COLLATE "C" NOT NULL,
    -- Where its service finds it: a secret.
    token         TEXT COLLATE "C" NOT NULL,
    since_ms      BIGINT NOT NULL,
    PRIMARY KEY (app, user_id, name, kind)
);
-- A token is one user's at a time.
CREATE UNIQUE INDEX devices_by_token ON devices (app, token);
