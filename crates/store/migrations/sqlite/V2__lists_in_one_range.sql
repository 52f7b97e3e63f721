-- A list is read from one range of one index, without a look at the table.

DROP INDEX relations_of_blocker;
CREATE INDEX relations_of_blocker ON relations
    (app, blocker, updated_ms, id, kind, blockee, room, room_kind, room_created_ms, created_ms, listed)
    WHERE listed = 1;
DROP INDEX relations_of_room;
CREATE INDEX relations_of_room ON relations
    (app, room, updated_ms, id, kind, blocker, blockee, room_kind, room_created_ms, created_ms, listed)
    WHERE listed = 1;
