-- v2 from an empty file: v1 is attached as v1. Every row is carried over; notes get a column, authors lose their table's name.
CREATE TABLE schema_info(version TEXT NOT NULL);
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE UNIQUE);
CREATE TABLE notes(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  author INTEGER REFERENCES people(id),
  title TEXT NOT NULL,
  body TEXT,
  rating REAL,
  cents INTEGER NOT NULL DEFAULT 0,
  archived INTEGER NOT NULL DEFAULT 0,
  euros REAL GENERATED ALWAYS AS (cents / 100.0) VIRTUAL,
  title_key TEXT GENERATED ALWAYS AS (lower(title)) STORED
);
CREATE TABLE settings(scope TEXT, key TEXT, value ANY, PRIMARY KEY(scope, key)) WITHOUT ROWID, STRICT;
CREATE TABLE odd(x, "two words" BLOB);
CREATE TABLE files(path TEXT PRIMARY KEY, data BLOB, sum INTEGER) STRICT;
CREATE TABLE changes(note INTEGER, what TEXT);
CREATE TABLE scratch(n);
CREATE VIRTUAL TABLE notes_fts USING fts5(title, body, content='notes', content_rowid='id');
CREATE VIRTUAL TABLE words USING fts5(word, prefix='2 3');

INSERT INTO people SELECT id, name FROM v1.authors;
INSERT INTO notes(id, author, title, body, rating, cents) SELECT id, author, title, body, rating, cents FROM v1.notes;
INSERT INTO settings SELECT scope, key, value FROM v1.settings;
INSERT INTO odd SELECT x, "two words" FROM v1."odd ""name"" 'here'";
INSERT INTO files SELECT path, data, sum FROM v1.files;
INSERT INTO changes SELECT note, what FROM v1.changes;
INSERT INTO scratch(rowid, n) SELECT rowid, n FROM v1.scratch;
INSERT INTO notes_fts(rowid, title, body) SELECT id, title, body FROM notes;
INSERT INTO words(rowid, word) SELECT rowid, word FROM v1.words;

CREATE INDEX notes_rated ON notes(rating) WHERE rating IS NOT NULL;
CREATE TRIGGER notes_added AFTER INSERT ON notes BEGIN
  INSERT INTO notes_fts(rowid, title, body) VALUES (new.id, new.title, new.body);
  INSERT INTO changes VALUES (new.id, 'added');
END;
CREATE VIEW rated AS SELECT n.id, n.title, p.name AS author, n.rating FROM notes n LEFT JOIN people p ON p.id = n.author WHERE n.rating > 0;
INSERT INTO schema_info VALUES ('v2');
-- Each way to make v2 keeps it: SQL gets it from v1, and a callback sets it.
PRAGMA application_id = 1131639924;
