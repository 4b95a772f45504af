// The doctor, in an application and as a separate process.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, sep } from "node:path";
import { test } from "node:test";
import { CutoverError, doctor, lock, migrate, restore } from "cutover";
import { diagnose } from "cutover/pure";
import { all, runWith } from "./cli-support.mjs";
import { failure, options, seed, shell, V1 } from "./support.mjs";

/** Without the home directory of the person who tests. */
const run = (...args) => runWith({ env: { HOME: tmpdir() } }, ...args);

test("doctor writes one bundle, which the diagnosis reads, and changes nothing", () => {
  const place = seed();
  const before = all(place);
  const { status, stdout } = run("doctor", place.path);
  assert.equal(status, 0);
  const bundle = JSON.parse(stdout);
  assert.deepEqual(
    [bundle.version, bundle.check, bundle.next.does, bundle.header.userVersion],
    [1, { result: "sound" }, "ask-detect", 1],
  );
  assert.match(bundle.made.runtime, process.versions.bun ? /^bun \d/ : /^node \d/);
  assert.ok(bundle.path.startsWith(`~${sep}`), bundle.path);
  assert.equal(diagnose({ text: stdout }).safety, "safe");
  assert.deepEqual(all(place), before);
  const out = join(seed("").directory, "bundle.json");
  assert.equal(run("doctor", place.path, "--out", out).status, 0);
  assert.equal(JSON.parse(readFileSync(out, "utf8")).version, 1);
  assert.equal(run("doctor", place.path, "--out", place.path).status, 74);
  assert.deepEqual(all(place), before);
});

test("doctor lists the files beside the named companions, and includes no content of them", () => {
  const place = seed();
  const auth = join(place.directory, "a=b.json");
  writeFileSync(auth, "SECRET");
  const { status, stdout } = run("doctor", place.path, "--companion", `auth=${auth}`);
  assert.deepEqual([status, stdout.includes("SECRET")], [0, false]);
  const { auth: seen } = JSON.parse(stdout).observation.companions;
  assert.deepEqual(
    [seen.file, seen.relative, seen.path.startsWith(`~${sep}`), seen.digest.length],
    ["a=b.json", "a=b.json", true, 64],
  );
  assert.equal(diagnose({ text: stdout }).safety, "safe");
  assert.equal(run("doctor", place.path, "--companion", auth.replace("=", "")).status, 64);
});

test("status says in words, and by its exit status, whether the data is safe", async () => {
  const place = seed();
  const { status, stdout } = run("status", place.path);
  assert.deepEqual([status, stdout.split("\n")[0]], [0, "The data is safe."]);
  await migrate(options(place.path));
  const after = run("status", place.path, "--json");
  assert.deepEqual([after.status, JSON.parse(after.stdout).backups.length], [0, 1]);
  writeFileSync(place.path, "something else\u001b[31m");
  const broken = run("status", place.path);
  assert.deepEqual([broken.status, broken.stdout.split("\n")[0]], [1, "The data is not safe."]);
  assert.equal(run("status", join(place.directory, "none.db")).status, 2);
  for (const args of [
    [],
    ["doctor"],
    ["status", "a", "b"],
    ["heal", "a"],
    ["status", "--no-such-option", "a"],
  ]) {
    const { status, stderr } = run(...args);
    assert.deepEqual([status, stderr.includes("usage:")], [64, true]);
  }
  const missing = run("status", "/nowhere/at/all/data.db");
  assert.deepEqual([missing.status, missing.stderr.includes("[cutover:IO")], [74, true]);
  assert.equal(run("--help").status, 0);
});

// Only on POSIX can a shell kill itself by a signal.
if (process.platform !== "win32")
  test("doctor reads a log of committed rows in a copy, and removes the copy", () => {
    const place = seed("PRAGMA journal_mode=WAL;" + V1);
    const writer = spawnSync("sqlite3", [
      place.path,
      ".shell true",
      "INSERT INTO notes(body) VALUES ('c')",
      `.shell kill -9 $PPID`,
    ]);
    assert.equal(writer.signal, "SIGKILL");
    assert.ok(statSync(`${place.path}-wal`).size > 0);
    const before = all(place);
    const { status, stdout } = run("doctor", place.path);
    const { check, wal } = JSON.parse(stdout);
    assert.deepEqual([status, check.result, wal.commits], [0, "sound", 1]);
    assert.deepEqual(all(place), before);
  });

test("the bundle has the last error and the events of the application, and not its secrets", async () => {
  const place = seed();
  const owner = await lock(place.path);
  const lastError = await failure(migrate(options(place.path)));
  owner.release();
  const events = [{ type: "undo", reason: "SECRET" }];
  const bundle = await doctor(place.path, { lastError, events });
  assert.equal(bundle.lastError.code, "OWNED");
  assert.ok(!JSON.stringify(bundle).includes("SECRET"));
  assert.ok(
    JSON.stringify(await doctor(place.path, { events, applicationData: true })).includes("SECRET"),
  );
  assert.equal(diagnose({ text: JSON.stringify(bundle) }).explanation.code, "OWNED");
  for (const wrong of [
    null,
    { more: 1 },
    { lastError: new Error("x") },
    { checkUpTo: -1 },
    { events: 7 },
  ])
    await assert.rejects(doctor(place.path, wrong), TypeError);
  await assert.rejects(doctor(place.path, { events: [{ type: "nonsense" }] }), TypeError);
  assert.ok((await failure(doctor("/nowhere/at/all/data.db"))) instanceof CutoverError);
});

test("after a restore, and where the database is gone, status names the files with rows", async () => {
  const place = seed();
  const { backup } = await migrate(options(place.path));
  const { displaced } = await restore(place.path, backup);
  const restored = run("status", place.path);
  assert.equal(restored.status, 0);
  assert.match(restored.stdout, new RegExp(`^v2: +It is ${basename(displaced)}`, "m"));
  const todo = /^what to do: +(.*)$/m.exec(restored.stdout)[1];
  assert.ok(todo.includes("the release of the application that v1 is for"), todo);
  assert.ok(!todo.includes("Nothing else needs to be done"), todo);
  writeFileSync(place.path, "");
  const lost = run("status", place.path);
  assert.equal(lost.status, 1);
  for (const file of [backup, displaced])
    assert.match(lost.stdout, new RegExp(`^${basename(file)} \\(.*holds? rows`, "m"));
});

test("doctor calls no database safe that another process has open", async () => {
  const place = seed();
  const holder = spawn("sqlite3", [place.path], { stdio: ["pipe", "pipe", "inherit"] });
  holder.stdin.write("SELECT count(*) FROM notes;\n");
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const { status, stdout } = run("status", place.path, "--json");
  holder.kill();
  assert.deepEqual([status, JSON.parse(stdout).safety], [2, "cannot-tell"]);
});
