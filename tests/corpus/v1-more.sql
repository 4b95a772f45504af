-- Committed later: in WAL mode these rows are only in the -wal when the writer is killed.
INSERT INTO authors VALUES (3, 'Only in the WAL');
INSERT INTO notes(author, title, body, rating) VALUES (3, 'late', 'late words', 2.5);
INSERT INTO files VALUES ('late', zeroblob(9000), 3);
UPDATE settings SET value = 'changed late' WHERE scope = 'a' AND key = 'int';
DELETE FROM scratch WHERE n > 300;
