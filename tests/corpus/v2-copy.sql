-- v2 from a copy of v1.
ALTER TABLE notes ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
UPDATE notes SET archived = 1 WHERE rating IS NULL;
CREATE TABLE schema_info(version TEXT NOT NULL);
INSERT INTO schema_info VALUES ('v2');
DROP TABLE scratch;
