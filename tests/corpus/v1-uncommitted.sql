-- The beginning of a transaction that is never committed. It outgrows its cache, so half of it is in the database file when the
-- writer is killed, and only the hot -journal says what was there before.
PRAGMA cache_size = 2;
UPDATE notes SET title = 'never committed', body = NULL;
DELETE FROM files;
INSERT INTO scratch WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000) SELECT 'never committed' || n FROM c;
UPDATE authors SET name = name || ' never committed';
