-- Nothing: here a message enters the search index as it is written, and is marked.
SELECT 1;
