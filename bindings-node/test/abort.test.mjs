// AbortSignal: honoured until v2 is built, refused after.
import assert from "node:assert/strict";
import { openSync, closeSync } from "node:fs";
import { test } from "node:test";
import { CutoverError, migrate } from "cutover";
import { assertUntouched, assertUpgraded, build, failure, made, options, seed } from "./support.mjs";

test("aborted already: nothing is touched, not even a lock file", async () => {
  const place = seed();
  const reason = new Error("shutting down");
  const error = await failure(migrate(options(place.path, { signal: AbortSignal.abort(reason), onEvent: () => assert.fail() })));
  assert.ok(error instanceof CutoverError);
  assert.deepEqual([error.code, error.cause], ["ABORTED", reason]);
  assert.deepEqual(place.names(), ["data.db"]);
  assertUntouched(place);
});

test("aborted in a build that stops: everything is undone, and its error is the cause", async () => {
  const place = seed();
  const controller = new AbortController();
  const run = (job) =>
    new Promise((_, reject) => {
      job.signal.addEventListener("abort", () => reject(job.signal.reason));
      controller.abort(new Error("the user closed the window"));
    });
  const warned = [];
  const onEvent = (event) => event.type === "warning" && warned.push(event);
  const error = await failure(migrate(options(place.path, { ...made(run), signal: controller.signal, onEvent })));
  assert.deepEqual([error.code, error.op, error.cause], ["ABORTED", "build-host", controller.signal.reason]);
  assert.deepEqual(warned, []);
  assertUntouched(place);
});

for (const callback of ["build", "verify", "detect"]) {
  test(`aborted in a ${callback} that never settles: it is given up`, async () => {
    const place = seed();
    const controller = new AbortController();
    const never = () => (controller.abort("enough"), new Promise(() => {}));
    const more = callback === "build" ? made(never) : { [callback]: never };
    const error = await failure(migrate(options(place.path, { ...more, signal: controller.signal })));
    assert.deepEqual([error.code, error.cause], ["ABORTED", "enough"]);
    assertUntouched(place);
  });
}

test("aborted in a build that does not care: it is not installed", async () => {
  const place = seed();
  const controller = new AbortController();
  const run = (job) => (build(job), controller.abort());
  const error = await failure(migrate(options(place.path, { ...made(run), signal: controller.signal })));
  assert.deepEqual([error.code, error.cause], ["ABORTED", controller.signal.reason]);
  assertUntouched(place);
});

test("aborted between two steps of a native build", async () => {
  const place = seed();
  const controller = new AbortController();
  const onEvent = (event) => event.type === "step" && event.op === "build-sql" && controller.abort();
  const error = await failure(migrate(options(place.path, { signal: controller.signal, onEvent })));
  assert.equal(error.code, "ABORTED");
  assertUntouched(place);
});

test("aborted after v2 was built: finished, with a warning", async () => {
  const place = seed();
  const controller = new AbortController();
  const onEvent = (event) => event.type === "phase" && event.phase === "built" && controller.abort();
  const { outcome, warnings } = await migrate(options(place.path, { signal: controller.signal, onEvent }));
  assert.equal(outcome, "migrated");
  assert.deepEqual(warnings.map(({ from, code }) => [from, code]), [["cutover", "ABORT_TOO_LATE"]]);
  assertUpgraded(place);
});

test("aborted in a wait: the wait ends at once", async () => {
  const place = seed();
  const held = openSync(place.path);
  const controller = new AbortController();
  const onEvent = (event) => event.type === "wait" && setImmediate(() => controller.abort());
  // With waits of minutes the test would not end if they were waited for.
  const error = await failure(migrate(options(place.path, { signal: controller.signal, onEvent, waitMs: 3_600_000 })));
  closeSync(held);
  assert.equal(error.code, "ABORTED");
  assertUntouched(place);
});
