// Companions: the build stages them, and the upgrade installs them after the database.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { migrate } from "cutover";
import {
  assertUntouched,
  assertUpgraded,
  build,
  failure,
  made,
  named,
  options,
  seed,
} from "./support.mjs";

test("the content of a companion crosses byte for byte, and is installed with v2", async () => {
  const place = seed();
  const [auth, fresh] = ["auth.json", "fresh.bin"].map((name) => join(place.directory, name));
  writeFileSync(auth, "old é");
  const seen = [];
  const run = async (job) => {
    seen.push(
      Buffer.from(await job.companion("auth").read()).toString(),
      await job.companion("fresh").read(),
    );
    await job.companion("auth").write("new é");
    await job.companion("fresh").write(Uint8Array.of(0, 255, 10));
    seen.push(
      Buffer.from(await job.companion("auth").read()).toString(),
      readFileSync(auth, "utf8"),
      existsSync(fresh),
    );
    await build(job);
  };
  await migrate(options(place.path, { ...made(run), companions: { auth, fresh } }));
  assert.deepEqual(seen, ["old é", null, "new é", "old é", false]);
  assert.equal(readFileSync(auth, "utf8"), "new é");
  assert.deepEqual([...readFileSync(fresh)], [0, 255, 10]);
  assertUpgraded(place);
});

test("a companion's text is read as UTF-8, and written back byte for byte", async () => {
  const place = seed();
  const [auth, broken, absent] = ["auth.json", "broken", "absent"].map((name) =>
    join(place.directory, name),
  );
  writeFileSync(auth, "\ufeffold é \u{1f600}\0");
  writeFileSync(broken, Uint8Array.of(0x61, 0xff));
  const run = async (job) => {
    const text = await job.companion("auth").text();
    assert.equal(text, "\ufeffold é \u{1f600}\0");
    await job.companion("auth").write(text);
    assert.equal(await job.companion("auth").text(), text);
    assert.equal(await job.companion("absent").text(), null);
    assert.equal(
      (await failure(job.companion("broken").text())).message,
      "companion broken is not text in UTF-8; read() returns its bytes",
    );
    assert.deepEqual(await job.companion("broken").read(), Uint8Array.of(0x61, 0xff));
    await build(job);
  };
  await migrate(options(place.path, { ...made(run), companions: { auth, broken, absent } }));
  assert.equal(readFileSync(auth, "utf8"), "\ufeffold é \u{1f600}\0");
});

test("a companion's missing directory is made for its owner alone", async () => {
  const place = seed();
  const auth = join(place.directory, "config", "deeper", "auth.json");
  const run = async (job) => {
    await job.companion("auth").write("of v2");
    await build(job);
  };
  await migrate(options(place.path, { ...made(run), companions: { auth } }));
  assert.equal(readFileSync(auth, "utf8"), "of v2");
  if (process.platform !== "win32")
    for (const directory of ["config", "config/deeper"])
      assert.equal(statSync(join(place.directory, directory)).mode & 0o777, 0o700);
  assertUpgraded(place);
});

test("an undeclared companion, or content that is not bytes, is refused", async () => {
  const place = seed();
  const auth = join(place.directory, "auth.json");
  const run = async (job) => {
    assert.match(
      (await failure(job.companion("other").write("x"))).message,
      /companion other is not declared in the options/,
    );
    assert.match(
      (await failure(job.companion("auth").write(7))).message,
      /a companion's content must be a string or a Uint8Array, not 7/,
    );
    await job.companion("auth").write("staged");
    throw new Error("undone");
  };
  const error = await failure(migrate(options(place.path, { ...made(run), companions: { auth } })));
  assert.equal(error.cause.message, "undone");
  assertUntouched(place);
});

// [29] Another process upgrades its own data directory, which shares the companion; its build never
// ends.
test("a companion is refused while the upgrade of another data directory has it, and free once that upgrade is killed", async () => {
  const [place, other] = [seed(), seed()];
  const auth = join(other.directory, "auth.json");
  writeFileSync(auth, "old");
  const holder = fileURLToPath(new URL("holder.mjs", import.meta.url));
  const child = spawn(process.execPath, [holder, other.path, auth], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  assert.equal(String((await once(child.stdout, "data"))[0]), "begun");
  const waits = [];
  const onEvent = ({ type, op, file }) => type === "wait" && waits.push([op, file]);
  const again = (waitMs) =>
    migrate(
      options(place.path, { ...made(build), companions: { auth }, lock: "held", waitMs, onEvent }),
    );
  const error = await failure(again(60)).finally(() => child.kill("SIGKILL"));
  await ended;
  assert.deepEqual([error.code, error.path], ["OWNED", auth]);
  assert.ok(named(error.holders, child.pid), error.message);
  assert.deepEqual(waits, [
    ["lock", "auth/auth.json"],
    ["lock", "auth/auth.json"],
  ]);
  assertUntouched(place);
  assert.equal((await again()).outcome, "migrated");
  assertUpgraded(place);
});

test("a companion that is a directory is refused with its kind and its path", async () => {
  const place = seed();
  const auth = join(place.directory, "auth.json");
  mkdirSync(auth);
  const {
    name,
    code,
    os,
    op,
    path,
    phase,
    attempts,
    waitedMs,
    holders,
    data,
    hint,
    reason,
    message,
  } = await failure(migrate(options(place.path, { companions: { auth }, waitMs: 0 })));
  assert.deepEqual(
    { name, code, op, path, phase, attempts, waitedMs, holders },
    {
      name: "CutoverError",
      code: "IO",
      op: "look",
      path: auth,
      phase: null,
      attempts: 1,
      waitedMs: 0,
      holders: [],
    },
  );
  assert.equal(os ?? null, null);
  // The upgrade did not read the database.
  assert.equal(data.state, "unknown");
  assert.ok(
    hint !== "" &&
      reason !== "" &&
      ["it is a directory, not a regular file", reason, hint, "[cutover:IO:"].every((part) => message.includes(part)),
    message,
  );
  rmdirSync(auth);
  assertUntouched(place);
});
