-- v1: one of everything that SQLite can hold. Run by libSQL, bun:sqlite and rusqlite alike.
CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE);
CREATE TABLE notes(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  author INTEGER REFERENCES authors(id),
  title TEXT NOT NULL,
  body TEXT,
  rating REAL,
  cents INTEGER NOT NULL DEFAULT 0,
  euros REAL GENERATED ALWAYS AS (cents / 100.0) VIRTUAL,
  title_key TEXT GENERATED ALWAYS AS (lower(title)) STORED
);
CREATE INDEX notes_rated ON notes(rating) WHERE rating IS NOT NULL;
CREATE INDEX notes_key ON notes(length(body), title_key DESC);
CREATE TABLE settings(scope TEXT, key TEXT, value ANY, PRIMARY KEY(scope, key)) WITHOUT ROWID, STRICT;
CREATE TABLE "odd ""name"" 'here'"(x, "two words" BLOB);
CREATE TABLE files(path TEXT PRIMARY KEY, data BLOB, sum INTEGER) STRICT;
CREATE TABLE changes(note INTEGER, what TEXT);
CREATE TABLE scratch(n);
CREATE VIRTUAL TABLE notes_fts USING fts5(title, body, content='notes', content_rowid='id');
CREATE VIRTUAL TABLE words USING fts5(word, prefix='2 3');
CREATE TRIGGER notes_added AFTER INSERT ON notes BEGIN
  INSERT INTO notes_fts(rowid, title, body) VALUES (new.id, new.title, new.body);
  INSERT INTO changes VALUES (new.id, 'added');
END;
CREATE TRIGGER notes_changed AFTER UPDATE OF title ON notes BEGIN
  INSERT INTO notes_fts(notes_fts, rowid, title, body) VALUES ('delete', old.id, old.title, old.body);
  INSERT INTO notes_fts(rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE VIEW rated AS SELECT n.id, n.title, a.name AS author, n.rating FROM notes n LEFT JOIN authors a ON a.id = n.author WHERE n.rating > 0;

INSERT INTO authors VALUES (1, 'Ada'), (2, 'Grace'), (9223372036854775807, 'Last');
INSERT INTO notes(author, title, body, rating, cents) VALUES
  (1, 'plain', 'some words to be found', 0.1, 199),
  (2, 'extremes', '', 1e308, -9223372036854775808),
  (NULL, 'infinite', NULL, 9e999, 9223372036854775807),
  (1, 'tiny', 'ünïcödé ☃ 漢字', -5e-324, 0),
  (2, 'NUL inside', 'before' || char(0) || 'after', 3.0, 1),
  (9223372036854775807, 'Mixed CASE', 'words words words', NULL, 7);
UPDATE notes SET title = 'plain, renamed' WHERE id = 1;
DELETE FROM notes_fts WHERE rowid = 4;
DELETE FROM notes WHERE id = 4;
INSERT INTO notes(id, author, title, body) VALUES (1000, 1, 'gap', 'after a gap');
INSERT INTO settings VALUES ('a', 'null', NULL), ('a', 'empty', ''), ('a', 'empty blob', x''), ('a', 'int', 42), ('a', 'real', 42.0),
  ('b', 'text of int', '42'), ('b', 'invalid utf-8', CAST(x'ff00fe80' AS TEXT)), ('b', 'lone surrogate', CAST(x'eda080' AS TEXT));
INSERT INTO "odd ""name"" 'here'" VALUES (1, x'00'), (x'31', '1'), (1.5, 'text in a BLOB column'), (NULL, NULL);
INSERT INTO files VALUES ('big', zeroblob(70000), 2147483648), ('small', x'00ff00ff', NULL);
INSERT INTO words(word) SELECT 'word' || value FROM (WITH RECURSIVE c(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM c WHERE value < 300) SELECT value FROM c);
INSERT INTO scratch WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 400) SELECT n FROM c;
DELETE FROM scratch WHERE n % 3 = 0;
PRAGMA user_version = 7;
PRAGMA application_id = 1131639924;
