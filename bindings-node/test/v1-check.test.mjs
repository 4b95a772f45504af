// A damaged v1 is found, and `verify` opens v2 by its path.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { CutoverError, migrate } from "cutover";
import { assertUpgraded, build, failure, made, options, seed, shell } from "./support.mjs";

const ROWS =
  "PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, body); WITH RECURSIVE r(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM r WHERE i < 300) INSERT INTO notes SELECT i, printf('%080d', i) FROM r;";

/** A v1 whose first leaf was overwritten, or lost three of its cells. */
function harmed(overwritten) {
  const place = seed(ROWS);
  const bytes = readFileSync(place.path);
  const root = (shell(place.path, "SELECT rootpage FROM sqlite_master") - 1) * 4096;
  const leaf = (bytes.readUInt32BE(root + bytes.readUInt16BE(root + 12)) - 1) * 4096;
  if (overwritten) bytes.fill(0xa5, leaf, leaf + 4096);
  else bytes.writeUInt16BE(bytes.readUInt16BE(leaf + 3) - 3, leaf + 3);
  writeFileSync(place.path, bytes);
  return place;
}

test("a v1 that lost rows is not upgraded, unless the options leave its check out", async () => {
  for (const from of ["empty", "copy"]) {
    const { path } = harmed(false);
    const error = await failure(migrate(options(path, made(build, from))));
    assert.ok(error instanceof CutoverError);
    assert.equal(error.code, "V1_CORRUPT", error.message);
    assert.doesNotMatch(error.message, /your data is (whole|untouched)/);
  }
  const { path } = harmed(false);
  assert.equal((await migrate(options(path, { checkV1: false }))).outcome, "migrated");
});

test("damage that a callback meets through its reader is V1_CORRUPT, with its own error as the cause", async () => {
  const own = new Error("the notes cannot be read");
  const read = async (db) => {
    try {
      await db.all("SELECT sum(length(body)) FROM notes");
    } catch {
      throw own;
    }
  };
  for (const more of [
    made((job) => read(job.v1)),
    { detect: async (db) => (await read(db), "old") },
  ]) {
    const { path } = harmed(true);
    const error = await failure(migrate(options(path, { checkV1: false, ...more })));
    assert.equal(error.code, "V1_CORRUPT", error.message);
    assert.equal(error.cause, own);
  }
});

test("damage that a callback meets with a SQLite of its own is V1_CORRUPT as well", async () => {
  const read = made(async (job) =>
    shell(await job.source(), "SELECT sum(length(body)) FROM notes"),
  );
  const { path } = harmed(true);
  const error = await failure(migrate(options(path, { checkV1: false, ...read })));
  assert.equal(error.code, "V1_CORRUPT", error.message);
  assert.match(String(error.cause), /malformed/);
  // An error that says so of a sound v1 stays the application's own.
  const lies = made(() => {
    throw new Error("database disk image is malformed");
  });
  const other = await failure(migrate(options(seed(ROWS).path, { checkV1: false, ...lies })));
  assert.equal(other.code, "HOST", other.message);
});

test("verify opens v2 by its path, and every reader has one", async () => {
  const place = seed();
  const paths = {};
  await migrate(
    options(place.path, {
      ...made((job) => {
        paths.v1 = job.v1.path;
        build(job);
      }),
      verify: (v2) => {
        assert.equal(shell(v2.path, "SELECT group_concat(body) FROM note"), "a,b");
        paths.v2 = v2.path;
      },
    }),
  );
  assert.equal(paths.v1, place.path);
  assert.notEqual(paths.v2, place.path);
  assertUpgraded(place);
});
