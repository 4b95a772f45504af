-- Every fact of a database, one per line: `sqlite3 COPY < facts.sql` in a directory where rows.sql may be written.
-- Text and blobs are in hex, since they may hold NUL or be no UTF-8 at all.
.bail on
SELECT 'page_size: ' || page_size FROM pragma_page_size;
SELECT 'encoding: ' || encoding FROM pragma_encoding;
SELECT 'user_version: ' || user_version FROM pragma_user_version;
SELECT 'application_id: ' || application_id FROM pragma_application_id;
SELECT 'auto_vacuum: ' || auto_vacuum FROM pragma_auto_vacuum;
SELECT 'integrity_check: ' || integrity_check FROM pragma_integrity_check;
SELECT 'foreign_key_check: ' || "table" || ' ' || coalesce(rowid, '') || ' ' || parent FROM pragma_foreign_key_check;
SELECT 'schema: ' || type || ' ' || name || ' on ' || tbl_name || ' ' || coalesce(hex(sql), 'NULL') FROM sqlite_schema;
-- One query for each table and view, written and then read.
.once rows.sql
SELECT CASE type WHEN 'virtual' THEN printf('INSERT INTO "%w"("%w") VALUES (''integrity-check'');', name, name) ELSE '' END ||
  printf('SELECT %Q || %s FROM "%w";', 'row: ' || name || ' ',
    CASE WHEN wr OR type = 'view' THEN '' ELSE 'rowid || '' '' || ' END ||
    (SELECT group_concat(printf('typeof("%w") || '':'' || CASE WHEN typeof("%w") IN (''text'', ''blob'') THEN hex("%w") ELSE quote("%w") END',
       c.name, c.name, c.name, c.name), ' || '' '' || ') FROM pragma_table_xinfo(t.name) AS c WHERE c.hidden <> 1), name)
  FROM pragma_table_list AS t WHERE schema = 'main' AND name <> 'sqlite_schema';
.read rows.sql
