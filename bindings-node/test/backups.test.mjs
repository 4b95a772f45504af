// Backups: list, adopt, prune, restore.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import {
  adoptBackup,
  listBackups,
  lock,
  migrate,
  planRestore,
  pruneBackups,
  recover,
  restore,
} from "cutover";
import { assertUpgraded, build, failure, made, options, seed, shell, V1 } from "./support.mjs";

test("the list has each backup with the content of its receipt", async () => {
  const place = seed();
  const run = async (job) => {
    await build(job);
    job.warn("one note has no author");
    return { report: { notes: 2 } };
  };
  const before = Date.now();
  const { backup } = await migrate(options(place.path, made(run)));
  const [found, ...more] = await listBackups(place.path);
  assert.equal(more.length, 0);
  assert.equal(found.name, basename(backup));
  assert.equal(found.size, readFileSync(backup).length);
  assert.ok(found.startedMs >= before && found.startedMs <= Date.now());
  assert.deepEqual(
    [found.label, found.whole, found.why, found.report],
    ["v1-v2", true, null, { notes: 2 }],
  );
  assert.deepEqual(
    found.warnings.map(({ message }) => message),
    ["one note has no author"],
  );
  writeFileSync(`${backup}.json`, "{");
  const [torn] = await listBackups(place.path);
  assert.equal(torn.whole, false);
  assert.match(torn.why, /its receipt cannot be used/);
});

test("a restore brings v1 and its companion back, and sets v2 aside with its rows", async () => {
  const place = seed(`PRAGMA journal_mode=WAL; ${V1}`);
  const auth = join(place.directory, "auth.json");
  writeFileSync(auth, "of v1");
  const run = async (job) => {
    await build(job);
    await job.companion("auth").write("of v2");
  };
  const { backup } = await migrate(options(place.path, { ...made(run), companions: { auth } }));
  shell(place.path, "INSERT INTO note(body) VALUES ('after the upgrade')");
  const steps = [];
  const owner = await lock(place.path);
  const result = await restore(place.path, backup, {
    lock: owner,
    companions: { auth },
    onEvent: (event) => event.type === "step" && steps.push(event.op),
  });
  owner.release();
  assert.deepEqual(
    [result.backup, result.recovery, result.warnings.map(({ code }) => code)],
    [backup, "none", ["KEPT"]],
  );
  assert.equal(
    shell(
      place.path,
      "PRAGMA journal_mode; PRAGMA user_version; SELECT group_concat(body) FROM notes",
    ),
    "wal\n1\na,b",
  );
  assert.equal(
    shell(result.displaced, "SELECT group_concat(body) FROM note"),
    "a,b,after the upgrade",
  );
  assert.equal(readFileSync(auth, "utf8"), "of v1");
  assert.deepEqual(
    [result.companions.auth.restored, readFileSync(result.companions.auth.displaced, "utf8")],
    [true, "of v2"],
  );
  assert.ok(steps.includes("link") && steps.indexOf("link") < steps.lastIndexOf("rename"));
  // A start that upgrades begins from v1; `recover` finds nothing to do.
  assert.equal((await recover(options(place.path))).recovery, "none");
  await migrate(options(place.path));
  assertUpgraded(place);
});

test("a backup without a receipt is adopted, restored and pruned", async () => {
  const place = seed();
  const { backup } = await migrate(options(place.path));
  rmSync(`${backup}.json`);
  const [{ name, whole }] = await listBackups(place.path);
  assert.deepEqual([name, whole], [basename(backup), false]);
  assert.equal((await failure(restore(place.path, name))).code, "VERIFY");
  const ops = [];
  const result = await adoptBackup(place.path, name, {
    onEvent: (event) => event.type === "step" && ops.push(event.op),
  });
  assert.deepEqual([result.backup, result.warnings.map(({ code }) => code)], [backup, ["ADOPTED"]]);
  assert.ok(ops.indexOf("check") > 0 && ops.indexOf("check") < ops.indexOf("write-receipt"));
  const [found] = await listBackups(place.path);
  assert.deepEqual([found.name, found.whole, found.why], [name, true, null]);
  assert.equal((await failure(adoptBackup(place.path, name))).code, "VERIFY");
  await restore(place.path, name);
  assert.equal(shell(place.path, "SELECT group_concat(body) FROM notes"), "a,b");
  await migrate(options(place.path));
  assert.deepEqual((await pruneBackups(place.path, { keep: 1 })).removed, [backup]);
  for (const wrong of ["", 7, "a\0b", "file:data.db.old", `file://${backup}`, "\ud800"]) {
    for (const call of [adoptBackup, restore]) {
      const error = await failure(call(place.path, wrong));
      assert.ok(error instanceof TypeError && /`name` of a backup/.test(error.message), error);
    }
  }
  for (const call of [adoptBackup, restore]) {
    const error = await failure(call(place.path, join(place.directory, "elsewhere", name)));
    assert.ok(error.code === "IO" && /`name` of a backup/.test(error.hint), error);
  }
  await assert.rejects(adoptBackup(place.path, name, { keep: 1 }), TypeError);
  assertUpgraded(place);
});

test("a missing or empty database beside a backup is a warning that names the files", async () => {
  for (const lose of [(path) => rmSync(path), (path) => writeFileSync(path, "")]) {
    const place = seed();
    const first = await migrate(options(place.path));
    assert.deepEqual(first.found, []);
    lose(place.path);
    const events = [];
    const onEvent = (event) => event.type === "warning" && events.push(event.warning);
    const { outcome, found, warnings } = await migrate(options(place.path, { onEvent }));
    assert.deepEqual([outcome, found, events], ["no-database", [first.backup], warnings]);
    assert.deepEqual(
      warnings.map(({ code, message }) => [code, message.includes(first.backup)]),
      [["NO_DATABASE", true]],
    );
  }
});

test("a restore that is refused says where the data is", async () => {
  const place = seed();
  const { backup } = await migrate(options(place.path));
  shell(backup, "DELETE FROM notes");
  const error = await failure(restore(place.path, backup));
  assert.deepEqual([error.code, error.name], ["VERIFY", "CutoverError"]);
  assert.match(error.message, /not whole: it was changed since it was made/);
  assert.equal((await failure(restore(place.path, "data.db.v1-v2-1-00000000"))).code, "IO");
  const signal = AbortSignal.abort(new Error("enough"));
  const aborted = await failure(restore(place.path, backup, { signal }));
  assert.deepEqual([aborted.code, aborted.cause.message], ["ABORTED", "enough"]);
  for (const wrong of [
    restore(place.path, ""),
    restore(place.path, backup, { keep: 1 }),
    pruneBackups(place.path, { keep: -1 }),
    pruneBackups(place.path),
  ]) {
    assert.ok((await failure(wrong)) instanceof TypeError);
  }
  assertUpgraded(place);
});

test("a rule or an upgrade removes old backups", async () => {
  const place = seed();
  const backups = [];
  for (let i = 0; i < 3; i++) {
    backups.unshift((await migrate(options(place.path))).backup);
    await restore(place.path, backups[0]);
  }
  assert.deepEqual(
    (await listBackups(place.path)).map(({ name }) => name),
    backups.map((path) => basename(path)),
  );
  writeFileSync(`${backups[1]}.json`, "{");
  const { removed, left } = await pruneBackups(place.path, { keep: 1 });
  assert.deepEqual(
    [removed, left.map(({ backup }) => backup)],
    [[backups[2]], [basename(backups[1])]],
  );
  assert.ok(!existsSync(backups[2]) && !existsSync(`${backups[2]}.json`) && existsSync(backups[1]));
  assert.deepEqual(
    (await pruneBackups(place.path, { olderThanMs: 0 })).removed,
    [],
    "the newest stays",
  );
  const { backup, warnings } = await migrate(options(place.path, { keepBackups: 1 }));
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["PRUNE"],
    "the one that is not whole is named",
  );
  assert.deepEqual(
    (await listBackups(place.path)).map(({ name }) => name),
    [backup, backups[1]].map((path) => basename(path)),
  );
});

test("the plan of a restore is what the restore performs, and making it changes nothing", async () => {
  const place = seed();
  const { backup } = await migrate(options(place.path));
  const before = [place.names(), readFileSync(place.path, "hex")];
  const plan = await planRestore(place.path, basename(backup));
  assert.deepEqual([place.names(), readFileSync(place.path, "hex")], before);
  assert.equal(plan.kind, "restore");
  const left = plan.steps.map(({ why }) => why);
  const onEvent = ({ type, why }) => {
    if (type !== "step") return;
    const at = left.indexOf(why);
    assert.ok(at >= 0, why);
    left.splice(0, at + 1);
  };
  const { warnings } = await restore(place.path, backup, { onEvent });
  assert.deepEqual(warnings, []);
  assert.deepEqual(left, []);
  assert.equal((await failure(planRestore(place.path, "data.db.v1-v2-1-00000000"))).code, "IO");
  await assert.rejects(planRestore(place.path, 1), TypeError);
});
