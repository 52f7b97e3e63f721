-- What the search index knows: all messages up to a number, but for those named to be read again. To mark each
-- message instead would write it, and its entry in an index, a second and a third time.
CREATE TABLE search_upto (
    number        INTEGER NOT NULL
);
CREATE TABLE search_again (
    number        INTEGER PRIMARY KEY
);
INSERT INTO search_upto (number) SELECT COALESCE(MAX(number), 0) FROM messages;
INSERT INTO search_again (number) SELECT number FROM messages WHERE indexed = 0;
-- The column stays, and nobody reads it: to drop it would write all messages anew.
DROP INDEX messages_to_index;

-- An older binary looks at the column, and would index everything a second time.
UPDATE meta SET value = '2' WHERE name = 'min_binary';
