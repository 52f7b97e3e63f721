-- Of the messages only those enter an index by their last change that changed after they were stored: few do, and to
-- enter each one was a quarter of what a send writes. Where those begin that were stored after a moment is found by looks
-- at the room's order, which is that of their times.
CREATE INDEX messages_changed ON messages (app, room, updated_ms) WHERE updated_ms > created_ms;
DROP INDEX messages_by_change;
DELETE FROM sqlite_stat1 WHERE idx IN ('messages_by_change', 'messages_changed');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('messages', 'messages_changed', '1000000 1000000 50 1');
