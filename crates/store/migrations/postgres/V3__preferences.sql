-- What a user keeps here for his own clients.
CREATE TABLE prefs (
    app           BIGINT NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    -- JSON.
    value         TEXT NOT NULL,
    PRIMARY KEY (app, user_id, name)
);
