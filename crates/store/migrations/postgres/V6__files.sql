-- What was uploaded; the bytes lie elsewhere, under the app's number and the id.
CREATE TABLE files (
    app           BIGINT NOT NULL,
    id            TEXT COLLATE "C" NOT NULL,
    bucket        TEXT COLLATE "C" NOT NULL,
    -- 'coming': its bytes are under way; 'here'; 'gone': bytes and row are to be removed.
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('coming', 'here', 'gone')),
    name          TEXT NOT NULL,
    media         TEXT NOT NULL,
    length        BIGINT NOT NULL DEFAULT 0,
    md5           TEXT NOT NULL DEFAULT '',
    extra         TEXT NOT NULL DEFAULT '{}',
    uploader      TEXT COLLATE "C" NOT NULL,
    uploaded_ms   BIGINT NOT NULL,
    PRIMARY KEY (app, id)
);
CREATE INDEX files_by_uploader ON files (app, uploader);
-- What is to be looked after: few.
CREATE INDEX files_to_sweep ON files (app, state, uploaded_ms) WHERE state <> 'here';
-- Their address names no app.
CREATE INDEX files_public ON files (id) WHERE bucket = 'public';

-- In which rooms a file may be read, and by which message it came there.
CREATE TABLE file_rooms (
    app           BIGINT NOT NULL,
    file          TEXT COLLATE "C" NOT NULL,
    room          TEXT COLLATE "C" NOT NULL,
    -- The message that names it; empty: it was uploaded for the room and none has named it there yet.
    message       TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (app, file, room, message)
);
CREATE INDEX file_rooms_by_room ON file_rooms (app, room, message, file);
