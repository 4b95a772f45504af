// AbortSignal: it stops the upgrade until v2 is built, and not after.
import assert from "node:assert/strict";
import { openSync, closeSync } from "node:fs";
import { test } from "node:test";
import { CutoverError, doctor, migrate } from "cutover";
import {
  assertUntouched,
  assertUpgraded,
  build,
  failure,
  made,
  options,
  seed,
} from "./support.mjs";

test("a signal that is aborted before the call: the call touches nothing, not even a lock file", async () => {
  const place = seed();
  const reason = new Error("shutting down");
  const error = await failure(
    migrate(
      options(place.path, { signal: AbortSignal.abort(reason), onEvent: () => assert.fail() }),
    ),
  );
  assert.ok(error instanceof CutoverError);
  assert.deepEqual([error.code, error.cause], ["ABORTED", reason]);
  assert.deepEqual(place.names(), ["data.db"]);
  assertUntouched(place);
});

test("an abort in a build that stops: the upgrade undoes everything, and the error of the build is the cause", async () => {
  const place = seed();
  const controller = new AbortController();
  const run = (job) =>
    new Promise((_, reject) => {
      job.signal.addEventListener("abort", () => reject(job.signal.reason));
      controller.abort(new Error("the user closed the window"));
    });
  const warned = [];
  const onEvent = (event) => event.type === "warning" && warned.push(event);
  const error = await failure(
    migrate(options(place.path, { ...made(run), signal: controller.signal, onEvent })),
  );
  assert.deepEqual(
    [error.code, error.op, error.cause],
    ["ABORTED", "build-host", controller.signal.reason],
  );
  assert.deepEqual(warned, []);
  assertUntouched(place);
});

for (const callback of ["build", "verify", "detect"]) {
  test(`an abort in a ${callback} that never settles: the upgrade ends without it`, async () => {
    const place = seed();
    const controller = new AbortController();
    const never = () => (controller.abort("enough"), new Promise(() => {}));
    const more = callback === "build" ? made(never) : { [callback]: never };
    const error = await failure(
      migrate(options(place.path, { ...more, signal: controller.signal })),
    );
    assert.deepEqual([error.code, error.cause], ["ABORTED", "enough"]);
    assertUntouched(place);
  });
}

test("what a given-up build asked for is rejected at the latest when the upgrade ends", async () => {
  const place = seed();
  const controller = new AbortController();
  const asked = [];
  const ask = (promise) =>
    asked.push(
      promise.then(
        () => null,
        (error) => error,
      ),
    );
  let ended = false;
  const run = async (job) => {
    controller.abort("enough");
    while (!ended) {
      for (let n = 0; n < 10; n += 1) ask(job.v1.all("SELECT 1"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    ask(job.v1.all("SELECT 1"));
    ask(job.v1.iterate("SELECT 1").next());
    return new Promise(() => {});
  };
  const error = await failure(
    migrate(options(place.path, { ...made(run), signal: controller.signal })),
  );
  ended = true;
  assert.equal(error.code, "ABORTED");
  await new Promise((resolve) => setImmediate(resolve));
  // Without the rejection this would never end.
  const rejected = (await Promise.all(asked)).filter((error) => error !== null);
  assert.ok(rejected.length >= 2, String(rejected.length));
  for (const { message } of rejected) assert.match(message, /until its callback has settled/);
  assertUntouched(place);
});

test("an abort in a build that ignores it: the upgrade does not install v2", async () => {
  const place = seed();
  const controller = new AbortController();
  const run = (job) => build(job).then(() => controller.abort());
  const error = await failure(
    migrate(options(place.path, { ...made(run), signal: controller.signal })),
  );
  assert.deepEqual([error.code, error.cause], ["ABORTED", controller.signal.reason]);
  assertUntouched(place);
});

test("an abort between two steps of a build by SQL", async () => {
  const place = seed();
  const controller = new AbortController();
  const onEvent = (event) =>
    event.type === "step" && event.op === "build-sql" && controller.abort();
  const error = await failure(migrate(options(place.path, { signal: controller.signal, onEvent })));
  assert.equal(error.code, "ABORTED");
  assertUntouched(place);
});

test("an abort after v2 is built: the upgrade finishes with a warning", async () => {
  const place = seed();
  const controller = new AbortController();
  const onEvent = (event) =>
    event.type === "phase" && event.phase === "built" && controller.abort();
  const { outcome, warnings } = await migrate(
    options(place.path, { signal: controller.signal, onEvent }),
  );
  assert.equal(outcome, "migrated");
  assert.deepEqual(
    warnings.map(({ from, code }) => [from, code]),
    [["cutover", "ABORT_TOO_LATE"]],
  );
  assertUpgraded(place);
});

test("an abort in a wait ends the wait at once", async () => {
  const place = seed();
  const held = openSync(place.path);
  const controller = new AbortController();
  const onEvent = (event) => event.type === "wait" && setImmediate(() => controller.abort());
  // Had the upgrade waited, the test would time out: the waits are minutes long.
  const error = await failure(
    migrate(options(place.path, { signal: controller.signal, onEvent, waitMs: 3_600_000 })),
  );
  closeSync(held);
  assert.equal(error.code, "ABORTED");
  assertUntouched(place);
});

test("SQL that never ends is stopped in the middle, and tells how far it is", async () => {
  const place = seed();
  const controller = new AbortController();
  const heard = [];
  const onEvent = (event) => {
    if (event.type !== "progress") return;
    heard.push(event);
    controller.abort("the user closed the window");
  };
  const sql = `CREATE TABLE u (x); INSERT INTO u WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)
    SELECT count(*) FROM n`;
  const error = await failure(
    migrate(
      options(place.path, {
        make: { from: "empty", run: { sql } },
        signal: controller.signal,
        onEvent,
      }),
    ),
  );
  assert.deepEqual(
    [error.code, error.op, error.cause],
    ["ABORTED", "build-sql", controller.signal.reason],
  );
  const { type, op, doneBytes, totalBytes } = heard[0];
  assert.deepEqual([type, op, typeof doneBytes, totalBytes], ["progress", "build-sql", "number", null]);
  assertUntouched(place);
});

test("a doctor whose signal is aborted looks at nothing", async () => {
  const place = seed();
  const error = await failure(doctor(place.path, { signal: AbortSignal.abort("enough") }));
  assert.deepEqual([error.code, error.cause], ["ABORTED", "enough"]);
  assertUntouched(place);
});
