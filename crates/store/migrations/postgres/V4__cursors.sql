-- How far each of those who read the outbox has come, so that a restart goes on where it was.
CREATE TABLE cursors (
    app           BIGINT NOT NULL,
    -- Who reads.
    name          TEXT COLLATE "C" NOT NULL,
    -- The first event he has not read.
    next          TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (app, name)
);
