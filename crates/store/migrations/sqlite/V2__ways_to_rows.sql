-- A list is read from one range of one index, without a look at the table.

DROP INDEX relations_of_blocker;
CREATE INDEX relations_of_blocker ON relations
    (app, blocker, updated_ms, id, kind, blockee, room, room_kind, room_created_ms, created_ms, listed)
    WHERE listed = 1;
DROP INDEX relations_of_room;
CREATE INDEX relations_of_room ON relations
    (app, room, updated_ms, id, kind, blocker, blockee, room_kind, room_created_ms, created_ms, listed)
    WHERE listed = 1;

-- The few user groups among the many users.
CREATE INDEX users_groups ON users (app, id) WHERE kind = 'group';

-- Who muted a room, for when it goes away.
CREATE INDEX mutes_by_room ON mutes (app, room);

-- What SQLite is told of the tables' sizes. Without it, it takes all rows of an app to be ten, and
-- reads them instead of following an index. The figures are those of a large app: rows, then rows
-- for each prefix of the index. A plan made for many rows is no worse for few.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('users', 'users', '1000000 1000000 1'),
    ('users', 'users_groups', '1000 1000 1'),
    ('group_members', 'group_members', '100000 100000 50 1'),
    ('group_members', 'group_members_by_user', '100000 100000 3 1'),
    ('tokens', 'tokens', '2000000 2000000 1'),
    ('tokens', 'tokens_by_user', '2000000 2000000 2'),
    ('tokens', 'tokens_by_end', '2000000 2000000 2'),
    ('mutes', 'mutes', '1000000 1000000 5 1'),
    ('mutes', 'mutes_by_room', '1000000 1000000 5'),
    ('rooms', 'rooms', '1000000 1000000 1'),
    ('pairs', 'pairs', '1000000 1000000 20 1'),
    ('members', 'members', '10000000 10000000 10 1'),
    ('members', 'members_by_user', '10000000 10000000 20 1'),
    ('messages', 'sqlite_autoindex_messages_1', '100000000 100000000 1000 1'),
    ('messages', 'sqlite_autoindex_messages_2', '100000000 100000000 1'),
    ('messages', 'messages_by_change', '100000000 100000000 1000 1'),
    ('messages', 'messages_to_index', '1000 1000 10 1'),
    ('messages', 'messages_gone', '1000000 1000000 50 1'),
    ('mentions', 'mentions', '1000000 1000000 50 10 1'),
    ('mentions', 'mentions_by_room', '1000000 1000000 50 2'),
    ('reactions', 'reactions', '1000000 1000000 5 2 1'),
    ('relations', 'relations', '1000000 1000000 1'),
    ('relations', 'relations_block', '500000 500000 20 1'),
    ('relations', 'relations_ban', '500000 500000 20 1'),
    ('relations', 'relations_of_blocker', '1000000 1000000 40 1 1 1 1 1 1 1 1 1'),
    ('relations', 'relations_of_room', '1000000 1000000 40 1 1 1 1 1 1 1 1 1'),
    ('relations', 'relations_of_blocker_since', '1000000 1000000 40 1 1'),
    ('relations', 'relations_of_room_since', '1000000 1000000 40 1 1'),
    ('relations', 'relations_of_blockee', '1000000 1000000 500000 10'),
    ('audit', 'audit', '1000000 1000000 1'),
    ('audit', 'audit_by_action', '1000000 1000000 100000 1'),
    ('audit', 'audit_by_actor', '1000000 1000000 100 1'),
    ('audit', 'audit_by_target', '1000000 1000000 20 1'),
    ('audit', 'audit_by_room', '1000000 1000000 50 1'),
    ('tallies', 'tallies', '100000 100000 10 1'),
    ('events', 'events', '1000000 1000000 1'),
    ('config', 'config', '10 10 1');
ANALYZE sqlite_schema;
