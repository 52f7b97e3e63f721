-- Of the messages only those enter an index by their last change that changed after they were stored: few do. Where those
-- begin that were stored after a moment is found by looks at the room's order, which is that of their times.
CREATE INDEX messages_changed ON messages (app, room, updated_ms) WHERE updated_ms > created_ms;
DROP INDEX messages_by_change;
