-- What was uploaded; the bytes lie elsewhere, under the app's number and the id.
CREATE TABLE files (
    app           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    bucket        TEXT NOT NULL,
    -- 'coming': its bytes are under way; 'here'; 'gone': bytes and row are to be removed.
    state         TEXT NOT NULL CHECK (state IN ('coming', 'here', 'gone')),
    name          TEXT NOT NULL,
    media         TEXT NOT NULL,
    length        INTEGER NOT NULL DEFAULT 0,
    md5           TEXT NOT NULL DEFAULT '',
    extra         TEXT NOT NULL DEFAULT '{}',
    uploader      TEXT NOT NULL,
    uploaded_ms   INTEGER NOT NULL,
    PRIMARY KEY (app, id)
) WITHOUT ROWID;
CREATE INDEX files_by_uploader ON files (app, uploader);
-- What is to be looked after: few.
CREATE INDEX files_to_sweep ON files (app, state, uploaded_ms) WHERE state <> 'here';
-- Their address names no app.
CREATE INDEX files_public ON files (id) WHERE bucket = 'public';

-- In which rooms a file may be read, and by which message it came there.
CREATE TABLE file_rooms (
    app           INTEGER NOT NULL,
    file          TEXT NOT NULL,
    room          TEXT NOT NULL,
    -- The message that names it; empty: it was uploaded for the room and none has named it there yet.
    message       TEXT NOT NULL,
    PRIMARY KEY (app, file, room, message)
) WITHOUT ROWID;
CREATE INDEX file_rooms_by_room ON file_rooms (app, room, message, file);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('files', 'files', '1000000 1000000 1'),
    ('files', 'files_by_uploader', '1000000 1000000 20'),
    ('files', 'files_to_sweep', '1000 1000 500 1'),
    ('files', 'files_public', '100000 1'),
    ('file_rooms', 'file_rooms', '1000000 1000000 1 1 1'),
    ('file_rooms', 'file_rooms_by_room', '1000000 1000000 50 1 1');
ANALYZE sqlite_schema;
