// What a stock `sqlite3` writes into a schema is read by the SQLite of the addon: virtual tables of
// every kind, and the functions that indexes, generated columns and constraints call.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { migrate } from "cutover";
import { shell } from "../corpus/compare.js";
import { scratch } from "../corpus/corpus.js";

const V1 = `PRAGMA user_version = 1;
  CREATE VIRTUAL TABLE three USING fts3(body);
  CREATE VIRTUAL TABLE four USING fts4(body, tokenize=porter);
  CREATE VIRTUAL TABLE five USING fts5(body, tokenize=trigram);
  CREATE VIRTUAL TABLE place USING rtree(id, x0, x1);
  CREATE VIRTUAL TABLE whole USING rtree_i32(id, x0, x1);
  CREATE TABLE point(
    x REAL CHECK (abs(x) <= pow(2, 40)),
    doc TEXT CHECK (json_valid(doc)),
    name TEXT AS (doc ->> '$.name') STORED
  );
  CREATE INDEX point_root ON point(sqrt(x), floor(log10(x)), mod(x, 3));
  CREATE INDEX point_sound ON point(json_extract(doc, '$.name'), length(hex(doc)));
  INSERT INTO three VALUES ('milk'); INSERT INTO four VALUES ('breads'); INSERT INTO five VALUES ('butter');
  INSERT INTO place VALUES (1, 0, 1); INSERT INTO whole VALUES (1, 0, 1);
  INSERT INTO point(x, doc) VALUES (16, '{"name":"here"}');`;

const READ = `SELECT * FROM three WHERE body MATCH 'milk'; SELECT * FROM four WHERE body MATCH 'bread';
  SELECT * FROM five WHERE body MATCH 'utte'; SELECT id FROM place; SELECT id FROM whole;
  SELECT name FROM point WHERE sqrt(x) = 4; PRAGMA integrity_check; PRAGMA user_version;`;

test("all that a stock sqlite3 has in a schema is upgraded and checked", async () => {
  const path = join(scratch(), "data.db");
  shell(path, V1);
  const { outcome } = await migrate({
    path,
    label: "v1-v2",
    detect: { userVersion: 2 },
    make: {
      from: "copy",
      run: {
        sql: `INSERT INTO point(x, doc) VALUES (25, '{"name":"there"}'); PRAGMA user_version = 2;`,
      },
    },
    integrity: "full",
  });
  assert.equal(outcome, "migrated");
  const rows = ["milk", "breads", "butter", "1", "1", "here", "ok", "2"];
  assert.deepEqual(shell(path, READ), rows);
});
