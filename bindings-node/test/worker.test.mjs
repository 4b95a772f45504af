// The addon in a worker, also in one that is terminated during the upgrade.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { lock, migrate } from "cutover";
import { assertUpgraded, options, seed, shell } from "./support.mjs";

const worker = (work, path) =>
  new Worker(new URL("worker.mjs", import.meta.url), { workerData: { work, path } });

test("a worker upgrades", async () => {
  const place = seed();
  const [{ outcome, warnings }] = await once(worker("migrate", place.path), "message");
  assert.deepEqual([outcome, warnings], ["migrated", []]);
  assertUpgraded(place);
});

/**
 * The owner lock, once the thread of a terminated worker has undone its upgrade and released it.
 */
async function eventually({ path }) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await lock(path);
    } catch (error) {
      assert.equal(error.code, "OWNED");
      assert.ok(tries < 100_000, "the lock is never released");
    }
  }
}

for (const work of ["build", "reading", "event", "sql"]) {
  test(`a worker that is terminated during the upgrade (${work}) leaves v1, and the next start upgrades`, async () => {
    const place = seed();
    const ended = worker(work, place.path);
    await once(ended, "message");
    await ended.terminate();
    const owner = await eventually(place);
    if (work !== "event" && work !== "sql") {
      // The journal stays: the thread could not call undo, so the next start calls it.
      assert.deepEqual(
        place.names().filter((name) => !name.includes("-lock")),
        ["data.db", "data.db.v1-v2-cutover.json"],
      );
      assert.equal(shell(place.path, "SELECT group_concat(body) FROM notes"), "a,b");
    }
    assert.equal((await migrate(options(place.path, { lock: owner }))).outcome, "migrated");
    owner.release();
    assertUpgraded(place);
  });
}

test("the lock that a worker has is free once the worker is terminated", async () => {
  const place = seed();
  const ended = worker("lock", place.path);
  await once(ended, "message");
  await assert.rejects(lock(place.path), { code: "OWNED" });
  await ended.terminate();
  (await lock(place.path)).release();
});

/** Whether SQLite has the file of its lock open, which is the second and last part of a lock. */
function isOpen(file) {
  if (process.platform !== "linux") return existsSync(file);
  return readdirSync("/proc/self/fd").some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === file;
    } catch {
      // Closed meanwhile, as the descriptor of this listing always is.
      return false;
    }
  });
}

test("a lock that is on its way to a worker is free once the worker is terminated", async () => {
  const place = seed();
  const ended = worker("locking", place.path);
  await once(ended, "message");
  while (!isOpen(`${place.path}.owner-lock`))
    await new Promise((resolve) => setImmediate(resolve));
  await ended.terminate();
  (await eventually(place)).release();
});
