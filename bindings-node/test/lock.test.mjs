// The owner lock in JavaScript.
import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "node:test";
import { lock, migrate } from "cutover";
import { assertUpgraded, failure, options, seed } from "./support.mjs";

test("there is one owner at a time, until it releases the lock", async () => {
  const place = seed();
  const owner = await lock(place.path);
  assert.equal(owner.path, place.path);
  const refused = await failure(lock(place.path));
  assert.deepEqual([refused.code, refused.holders[0].pid], ["OWNED", process.pid]);
  const forgotten = await failure(migrate(options(place.path)));
  assert.deepEqual([forgotten.code, forgotten.holders[0].thisProcess], ["OWNED", true]);
  assert.match(forgotten.message, /this process itself owns this database.*`options\.lock`/);
  owner.release();
  owner.release();
  (await lock(place.path)).release();
});

test("the lock names its files, and there are no others of it", async () => {
  const place = seed();
  const owner = await lock(place.path);
  const directory = realpathSync(place.directory);
  assert.deepEqual(
    owner.files,
    ["owner-lock", "owner-lock-journal", "cutover-lock"].map((end) =>
      join(directory, `data.db.${end}`),
    ),
  );
  await migrate(options(place.path, { lock: owner }));
  const locks = place.names().filter((name) => name.includes("-lock"));
  assert.ok(locks.length >= 2 && locks.every((name) => owner.files.includes(join(directory, name))));
  const { files } = owner;
  owner.release();
  assert.deepEqual(owner.files, files);
});

test("the owner upgrades with its lock and keeps it", async () => {
  const place = seed();
  const owner = await lock(place.path);
  assert.equal((await migrate(options(place.path, { lock: owner }))).outcome, "migrated");
  assert.equal((await failure(lock(place.path))).code, "OWNED");
  owner.release();
  assertUpgraded(place);
});

test("a released lock, or the lock of another database, is refused", async () => {
  const [place, other] = [seed(), seed()];
  const owner = await lock(other.path);
  assert.equal((await failure(migrate(options(place.path, { lock: owner })))).code, "OWNED");
  owner.release();
  const error = await failure(migrate(options(place.path, { lock: owner })));
  assert.ok(error instanceof TypeError);
  assert.equal(error.message, "cutover: options.lock was released");
});

test("a lock without a variable is still held", async () => {
  const place = seed();
  await lock(place.path);
  const collect = () => {
    if (globalThis.Bun) return Bun.gc(true);
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
  };
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await failure(lock(place.path))).code, "OWNED");
});

test("a caller with an equivalent lock passes held", async () => {
  const place = seed();
  const owner = await lock(place.path);
  assert.equal((await migrate(options(place.path, { lock: "held" }))).outcome, "migrated");
  owner.release();
});
