// The events that onEvent gets, and its failures, which do no harm.
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { migrate, recover } from "cutover";
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

test("onEvent gets steps, phases and the progress of the build in order", async () => {
  const place = seed();
  const events = [];
  const run = async (job) => {
    job.progress(1, 2);
    await build(job);
    job.progress(2);
  };
  await migrate(options(place.path, { ...made(run), onEvent: (event) => void events.push(event) }));
  const told = events
    .filter(({ type }) => type !== "step")
    .map((event) => event.kind ?? event.phase ?? [event.type, event.done, event.total]);
  assert.deepEqual(told, [
    "migrate",
    "building",
    ["build-progress", 1, 2],
    ["build-progress", 2, null],
    "built",
    "committed",
  ]);
  const steps = events.filter(({ type, undo }) => type === "step" && !undo);
  assert.ok(steps.every((step, at) => step.why && (at === 0 || step.index > steps[at - 1].index)));
});

test("the upgrade waits for the promise of onEvent before it goes on", async () => {
  const place = seed();
  let open = 0;
  const seen = [];
  const onEvent = async ({ type, op }) => {
    open += 1;
    for (let turn = 0; turn < 20; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(open, 1, "the next event came before this one was handled");
    }
    if (type === "step" && op === "build-sql")
      seen.push(place.names().some((name) => name.includes(".building-")));
    open -= 1;
  };
  const { warnings } = await migrate(options(place.path, { onEvent }));
  assert.deepEqual([seen, open, warnings], [[false], 0, []]);
  assertUpgraded(place);
});

test("a listener that never settles is given up after an abort, and told of the rest", async () => {
  const place = seed();
  const controller = new AbortController();
  const told = [];
  const onEvent = ({ type, op, undo }) => {
    told.push(type === "step" ? [undo ? "undo" : "steps", op] : [type]);
    if (op === "build-host") controller.abort("enough");
    return controller.signal.aborted ? new Promise(() => {}) : undefined;
  };
  const run = (job) => Promise.reject(job.signal.reason);
  const error = await failure(
    migrate(options(place.path, { ...made(run), onEvent, signal: controller.signal })),
  );
  assert.deepEqual([error.code, error.cause], ["ABORTED", "enough"]);
  const rest = told.slice(told.findIndex(([, op]) => op === "build-host") + 1);
  assert.deepEqual(rest[0], ["undo"], "the event that the undo begins");
  const steps = rest.slice(1);
  assert.ok(steps.length > 1 && steps.every(([list]) => list === "undo"), JSON.stringify(rest));
  assertUntouched(place);
});

test("a listener that never settles is a warning", async () => {
  const place = seed();
  const real = globalThis.setTimeout;
  globalThis.setTimeout = (work, ms, ...rest) => {
    const timer = real(work, ms, ...rest);
    if (ms === 60_000) setImmediate(work);
    return timer;
  };
  try {
    const heard = [];
    const onEvent = (event) =>
      event.type === "warning"
        ? void heard.push(event.warning.message)
        : event.op === "build-sql" && new Promise((resolve) => real(resolve, 50));
    const { warnings } = await migrate(options(place.path, { onEvent }));
    const message =
      "onEvent has neither settled nor reported progress for 60 s; to stop it, abort options.signal";
    assert.ok(warnings.some((warning) => warning.code === "UNSETTLED" && warning.message === message));
    assert.ok(heard.includes(message));
  } finally {
    globalThis.setTimeout = real;
  }
});

test("onEvent gets a step before the step runs", async () => {
  const place = seed();
  const before = [];
  const onEvent = ({ type, op, file }) =>
    type === "step" &&
    op === "build-sql" &&
    before.push(place.names().some((name) => name.includes(".building-")));
  await migrate(options(place.path, { onEvent }));
  assert.deepEqual(before, [false]);
});

for (const [how, onEvent] of [
  [
    "throws",
    () => {
      throw new Error("deaf");
    },
  ],
  ["rejects", () => Promise.reject(new Error("deaf"))],
]) {
  test(`a listener that ${how} does not end the migration`, async () => {
    const place = seed();
    const { outcome, warnings } = await migrate(options(place.path, { onEvent }));
    assert.equal(outcome, "migrated");
    assert.deepEqual(warnings, [
      { from: "host", code: "ON_EVENT", message: "onEvent failed: deaf" },
    ]);
    assertUpgraded(place);
  });
}

test("the upgrade calls releaseHandles before every wait, and goes on once the handle is released", async () => {
  const place = seed();
  let held = openSync(place.path);
  const heard = [];
  const releaseHandles = async () => {
    heard.push("release");
    if (held !== undefined) closeSync(held);
    held = undefined;
  };
  const onEvent = (event) =>
    void (event.type === "wait" && heard.push("wait", named(event.holders, process.pid)));
  const { outcome } = await migrate(options(place.path, { releaseHandles, onEvent }));
  assert.equal(outcome, "migrated");
  // Before the first wait, so that a handle that is released then costs none. Windows looks for
  // open handles once more, beside which it can open the database.
  assert.deepEqual(heard.slice(0, 3).sort(), process.platform === "win32" ? [true, "release", "wait"].sort() : ["release"]);
  assertUpgraded(place);
});

test("a failed releaseHandles is a warning; a process that keeps the database open is named, or v2 is copied by pages", async () => {
  const place = seed();
  const held = openSync(place.path);
  const warned = [];
  const releaseHandles = () => {
    throw new Error("cannot");
  };
  const onEvent = (event) => void (event.type === "warning" && warned.push(event.warning));
  const migrated = migrate(options(place.path, { releaseHandles, onEvent, waitMs: 50 }));
  if (process.platform === "win32") {
    assert.equal((await migrated).strategy, "page-copy");
    closeSync(held);
    assert.equal(warned[0].code, "RELEASE_HANDLES");
    return assertUpgraded(place);
  }
  const error = await failure(migrated);
  closeSync(held);
  assert.equal(error.code, "HELD");
  assert.equal(error.holders[0].thisProcess, true);
  assert.equal(error.holders[0].pid, process.pid);
  assert.deepEqual(warned[0], {
    from: "host",
    code: "RELEASE_HANDLES",
    message: "releaseHandles failed: cannot",
  });
  assertUntouched(place);
});

test("a silent callback is a warning", async (t) => {
  const place = seed();
  const real = globalThis.setTimeout;
  const watches = [];
  globalThis.setTimeout = (work, ms, ...rest) => {
    const timer = real(work, ms, ...rest);
    if (ms === 60_000) watches.push(work);
    return timer;
  };
  try {
    const run = async (job) => {
      watches.at(-1)();
      await build(job);
    };
    const { outcome, warnings } = await migrate(options(place.path, made(run)));
    assert.equal(outcome, "migrated");
    const message =
      "build has neither settled nor reported progress for 60 s; to stop it, abort options.signal";
    assert.deepEqual(warnings, [{ from: "cutover", code: "UNSETTLED", message }]);
  } finally {
    globalThis.setTimeout = real;
  }
});

test("onEvent gets a recovery", async () => {
  const place = seed();
  const fail = () => Promise.reject(new Error("no"));
  await failure(migrate(options(place.path, { ...made(fail), undo: fail })));
  const heard = [];
  const result = await recover(
    options(place.path, {
      onEvent: (event) => void (event.type === "recovered" && heard.push(event.recovery)),
    }),
  );
  assert.deepEqual(result, { recovery: "undone", backup: null, report: null, warnings: [] });
  assert.deepEqual(heard, ["undone"]);
  assertUntouched(place);
});
