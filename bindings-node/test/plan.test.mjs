// Plans as data, and inspect and errors for support people.
import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  CutoverError,
  explainError,
  inspect,
  lock,
  migrate,
  plan,
  runPlan,
  validatePlan,
} from "cutover";
import {
  assertUntouched,
  assertUpgraded,
  build,
  failure,
  made,
  options,
  seed,
} from "./support.mjs";

test("plan touches nothing, its plan is sound, and runPlan performs it exactly", async () => {
  const place = seed();
  const planned = await plan(options(place.path));
  assert.deepEqual(place.names(), ["data.db"]);
  assert.equal(planned.kind, "migrate");
  assert.deepEqual(validatePlan(planned), []);
  assert.deepEqual(validatePlan(JSON.stringify(planned)), []);
  const steps = [];
  const onEvent = (event) => void (event.type === "step" && steps.push(event.why));
  const result = await runPlan(planned, options(place.path, { onEvent }));
  assert.equal(result.outcome, "migrated");
  assert.ok(
    steps.length > 0 && steps.every((why) => planned.steps.some((step) => step.why === why)),
  );
  assertUpgraded(place);
  assert.equal(await plan(options(place.path)), null);
});

test("a plan whose order could lose a row is found, and not performed", async () => {
  const place = seed();
  const planned = await plan(options(place.path));
  const at = planned.steps.findIndex((step) => step.do.op === "link");
  planned.steps.splice(at, 1);
  planned.flipAt -= 1;
  planned.cleanupFrom -= 1;
  const [finding, ...more] = validatePlan(planned);
  assert.deepEqual(more, []);
  assert.deepEqual([finding.kind, finding.step], ["step", at]);
  assert.equal((await failure(runPlan(planned, options(place.path)))).code, "JOURNAL");
  assertUntouched(place);
});

test("runPlan performs a plan as text, with a callback", async () => {
  const place = seed();
  const given = options(place.path, made(build));
  assert.equal((await runPlan(JSON.stringify(await plan(given)), given)).outcome, "migrated");
  assertUpgraded(place);
});

test("runPlan refuses an unusable plan with the reason", async () => {
  const place = seed();
  const planned = await plan(options(place.path));
  const hostile = structuredClone(planned);
  hostile.steps[0].do.file = "../elsewhere";
  for (const [wrong, why] of [
    ["{", /line 1, column 1/],
    ["{}", /missing field/],
    [{ ...planned, version: 99 }, /version 99.*newer release/],
    [{ ...planned, more: 1 }, /unknown field/],
    [hostile, /elsewhere/],
    [undefined, /line 1/],
  ]) {
    const [finding] = validatePlan(wrong);
    assert.deepEqual(finding.kind, "structure");
    assert.match(finding.message, why);
    const error = await failure(runPlan(wrong, options(place.path)));
    assert.equal(error.code, wrong?.version === 99 ? "NEWER" : "JOURNAL");
    assert.match(error.message, why);
  }
  assertUntouched(place);
});

test("inspect lists the files", async () => {
  const place = seed(
    "PRAGMA journal_mode=WAL; PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, body);",
  );
  const before = await inspect(place.path);
  assert.deepEqual(
    { ...before, header: null },
    {
      path: place.path,
      exists: true,
      size: statSync(place.path).size,
      held: false,
      holders: [],
      holdersUnknown: null,
      header: null,
      sidecars: {},
      journals: [],
      backups: {},
      displaced: {},
      leftovers: {},
      companions: {},
    },
  );
  assert.deepEqual([before.header.userVersion, before.header.journalMode], [1, "wal"]);
  const { backup } = await migrate(options(place.path));
  assert.deepEqual(Object.keys((await inspect(place.path)).backups), [
    backup.slice(place.directory.length + 1),
  ]);
  const auth = join(place.directory, "auth.json");
  writeFileSync(auth, "content");
  writeFileSync(`${auth}.building-0badc0de`, "left");
  const { companions } = await inspect(place.path, { companions: { auth } });
  assert.deepEqual(companions, {
    auth: {
      path: auth,
      exists: true,
      backups: {},
      displaced: {},
      leftovers: { "auth.json.building-0badc0de": 4 },
    },
  });
  await assert.rejects(inspect(place.path, { companions: { auth: 1 } }), TypeError);
  const missing = await failure(inspect(`${place.directory}/nowhere/data.db`));
  assert.ok(missing instanceof CutoverError);
  assert.match(missing.message, /nowhere/);
});

test("explainError explains every failure", async () => {
  const place = seed();
  const owner = await lock(place.path);
  const error = await failure(migrate(options(place.path)));
  owner.release();
  const explained = explainError(error);
  assert.equal(explained.code, "OWNED");
  assert.deepEqual(explainError(`2026-11-21 ERROR ${error.message} at boot`), explained);
  assert.ok(explained.meaning && explained.data && explained.hint);
  for (const other of ["nothing here", new Error("Unknown error"), undefined, 7, Symbol("s")])
    assert.equal(explainError(other), null);
  // The stack names the caller, though another thread found the failure.
  assert.match(error.stack, /plan\.test\.mjs/);
});
