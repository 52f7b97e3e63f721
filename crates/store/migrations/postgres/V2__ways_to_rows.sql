-- The few user groups among the many users. SQLite's second migration also widens the indexes of the
-- lists; here three long ids do not fit into one entry of an index (2,704 bytes).
CREATE INDEX users_groups ON users (app, id) WHERE kind = 'group';

-- Who muted a room, for when it goes away.
CREATE INDEX mutes_by_room ON mutes (app, room);
