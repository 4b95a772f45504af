// Companions: staged by the build, installed after the database.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { migrate } from "cutover";
import { assertUntouched, assertUpgraded, build, failure, made, options, seed } from "./support.mjs";

test("content crosses byte for byte, and is installed with v2", async () => {
  const place = seed();
  const [auth, fresh] = ["auth.json", "fresh.bin"].map((name) => join(place.directory, name));
  writeFileSync(auth, "old é");
  const seen = [];
  const run = async (job) => {
    seen.push(Buffer.from(await job.companion("auth").read()).toString(), await job.companion("fresh").read());
    await job.companion("auth").write("new é");
    await job.companion("fresh").write(Uint8Array.of(0, 255, 10));
    seen.push(Buffer.from(await job.companion("auth").read()).toString(), readFileSync(auth, "utf8"), existsSync(fresh));
    build(job);
  };
  await migrate(options(place.path, { ...made(run), companions: { auth, fresh } }));
  assert.deepEqual(seen, ["old é", null, "new é", "old é", false]);
  assert.equal(readFileSync(auth, "utf8"), "new é");
  assert.deepEqual([...readFileSync(fresh)], [0, 255, 10]);
  assertUpgraded(place);
});

test("one that was not declared, or not given bytes, is refused", async () => {
  const place = seed();
  const auth = join(place.directory, "auth.json");
  const run = async (job) => {
    assert.match((await failure(job.companion("other").write("x"))).message, /companion other is not declared in the options/);
    assert.match((await failure(job.companion("auth").write(7))).message, /a companion's content must be a string or a Uint8Array, not 7/);
    await job.companion("auth").write("staged");
    throw new Error("undone");
  };
  const error = await failure(migrate(options(place.path, { ...made(run), companions: { auth } })));
  assert.equal(error.cause.message, "undone");
  assertUntouched(place);
});
