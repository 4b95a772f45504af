// Proves that the checker finds every difference, and that the seeds are what they claim.
import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import { test } from "node:test";
import { differences, facts, shell } from "./compare.js";
import { copySet, seed, type Writer } from "./corpus.js";

const WRITERS: Writer[] = ["libsql", "bun", "rusqlite"];

test("the checker finds a database equal to its copy", () => {
  const v1 = seed("rusqlite", "delete");
  assert.deepEqual(differences(facts(v1), facts(copySet(v1))), []);
});

const PLANTED: Record<string, [sql: string, pattern: RegExp]> = {
  "a lost row": ["DELETE FROM settings WHERE key = 'invalid utf-8'", /^lost: row: settings /],
  "an extra row": ["INSERT INTO scratch VALUES (1)", /^new: row: scratch /],
  "a changed type": [
    "UPDATE settings SET value = '42' WHERE key = 'real'",
    /^lost: row: settings .*real:42.0/,
  ],
  "a changed rowid": [
    "UPDATE scratch SET rowid = 99999 WHERE rowid = 1",
    /^new: row: scratch 99999 /,
  ],
  "text cut at a NUL": [
    "UPDATE notes SET body = 'before' WHERE id = 5",
    /^lost: row: notes .*6265666F7265006166746572/,
  ],
  "a replaced invalid byte": [
    "UPDATE settings SET value = CAST(x'efbfbd' AS TEXT) WHERE key = 'lone surrogate'",
    /^lost: row: settings .*EDA080/,
  ],
  "a rounded float": [
    "UPDATE notes SET rating = 0.10000000000000002 WHERE id = 1",
    /^lost: row: notes .*real:0.1 /,
  ],
  "a dropped trigger": ["DROP TRIGGER notes_changed", /^lost: schema: trigger notes_changed/],
  "a dropped index": ["DROP INDEX notes_key", /^lost: schema: index notes_key/],
  "a dropped view": ["DROP VIEW rated", /^lost: schema: view rated/],
  "a changed user_version": ["PRAGMA user_version = 8", /^lost: user_version: 7/],
  "a foreign key that leads nowhere": [
    "DELETE FROM authors WHERE id = 2",
    /^new: foreign_key_check: notes 2 authors/,
  ],
};
for (const [what, [sql, pattern]] of Object.entries(PLANTED)) {
  test(`the checker finds ${what}`, () => {
    const v1 = seed("rusqlite", "delete");
    const changed = copySet(v1);
    shell(changed, `PRAGMA foreign_keys = OFF; ${sql};`);
    const found = differences(facts(v1), facts(changed));
    assert.ok(
      found.some((line) => pattern.test(line)),
      `not found, but: ${found.join("\n")}`,
    );
  });
}

test("the checker finds an index of FTS5 that does not fit its table", () => {
  const v1 = seed("rusqlite", "delete");
  shell(v1, "DELETE FROM words_content WHERE id = 1;");
  assert.throws(() => facts(v1), /malformed|constraint/);
});

for (const writer of WRITERS) {
  test(`${writer} writes the v1 that rusqlite writes, in each mode`, () => {
    const expected = facts(seed("rusqlite", "delete"), { withoutFtsIndex: true });
    for (const mode of ["wal", "delete", "hot"] as const) {
      assert.deepEqual(
        differences(expected, facts(seed(writer, mode), { withoutFtsIndex: true })),
        [],
        mode,
      );
    }
  });

  test(`${writer} leaves committed rows in the -wal alone`, () => {
    const v1 = seed(writer, "wal");
    assert.ok(statSync(`${v1}-wal`).size > 0);
    const whole = facts(v1);
    rmSync(`${v1}-wal`);
    const lost = differences(whole, facts(v1));
    assert.ok(
      lost.some((line) => /^lost: row: authors .*4F6E6C7920696E207468652057414C/.test(line)),
      lost.join("\n"),
    );
  });

  test(`${writer} leaves a hot rollback journal: without it the database is not v1`, () => {
    const v1 = seed(writer, "hot");
    assert.ok(statSync(`${v1}-journal`).size > 0);
    const whole = facts(v1);
    rmSync(`${v1}-journal`);
    let seen: string;
    try {
      seen = differences(whole, facts(v1)).join("\n");
    } catch (error) {
      seen = String(error);
    }
    assert.match(seen, /row: scratch .*6E6576657220|malformed/);
  });
}
