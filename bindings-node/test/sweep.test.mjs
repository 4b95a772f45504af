// The testing kit: it passes a sound upgrade, and finds each fault that is planted in one.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { migrate } from "cutover";
import { pauseAt, sweep } from "cutover/testing";
import { assertUpgraded, failure, options, scratch, seed } from "./support.mjs";

const scenario = new URL("./sweep-scenario.mjs", import.meta.url);

/** Sweeps the sample with a fault planted in it. The sweep's processes inherit the environment. */
async function planted(plant, more = {}) {
  process.env.CUTOVER_PLANT = plant;
  try {
    const error = await failure(sweep({ scenario, ...more }));
    // The folder of a case that was asked for stays.
    const kept = /the folder stays: (.*)$/m.exec(error.message)?.[1];
    if (kept) scratch(dirname(kept));
    return error;
  } finally {
    delete process.env.CUTOVER_PLANT;
  }
}

// On Bun and on Windows one case of each kind suffices: the sweep itself is the same there, and takes ninety seconds under Wine.
if (!process.versions.bun && process.platform !== "win32")
  test("a sound upgrade passes every case, and the report says what was not tried", async () => {
    const { points, failures, notTried, table } = await sweep({ scenario });
    assert.deepEqual(failures, []);
    const tried = points.map(({ id }) => id);
    assert.equal(new Set(tried).size, tried.length);
    for (const id of [
      "plain",
      "before-build",
      "before-flip",
      "in-detect",
      "in-build",
      "in-build:2",
      "in-build:3",
      "in-verify",
      "in-cleanup",
      "throw:in-build:3",
      "held",
      "second:before-build",
      "write:before-build",
      "write:before-lock-v1",
    ])
      assert.ok(tried.includes(id), `${id} was not tried: ${tried.join(" ")}`);
    const again = ["before-undo", "in-undo", "before-flip", "in-cleanup"];
    for (const point of again)
      assert.ok(
        tried.some((id) => id.endsWith(`+${point}`)),
        `${point} of a recovery was not tried: ${tried.join(" ")}`,
      );
    assert.deepEqual(
      notTried.map(({ what }) => what),
      ["a full disk and a failing flush"],
    );
    assert.match(table, /killed before a step +\d+ tried +0 failed/);
    assert.match(table, /not tried: a full disk and a failing flush: /);
  });

for (const only of ["before-flip", "in-build:3", "before-build+before-undo", "held", "write:before-build"])
  test(`one case is replayed: ${only}`, async () => {
    const { points } = await sweep({ scenario, only });
    assert.deepEqual(
      points.map(({ id }) => id),
      ["plain", only],
    );
  });

test("CUTOVER_REPLAY names a case too, and a case that is not there is refused", async () => {
  process.env.CUTOVER_REPLAY = "before-lunch";
  try {
    assert.match((await failure(sweep({ scenario }))).message, /no case before-lunch; it has .*before-flip/);
  } finally {
    delete process.env.CUTOVER_REPLAY;
  }
});

test("a callback that is not idempotent is found", async () => {
  const error = await planted("not-idempotent", { only: "before-build" });
  assert.match(
    error.message,
    /✖ before-build: in the next start: the application's undo failed: ENOENT/,
  );
  assert.match(error.message, /CUTOVER_REPLAY='before-build'/);
  assert.deepEqual(error.report.failures.map(({ id }) => id), ["before-build"]);
});

test("a build that forgets a table is found", async () => {
  const error = await planted("forgets");
  assert.match(error.message, /not tried: every fault[^]*✖ plain: check failed: /);
});

for (const [plant, file] of [
  ["outside", "settings.json"],
  ["beside", "beside.json"],
])
  test(`a build that writes outside is found (${plant})`, async () => {
    const { message } = await planted(plant, { only: "throw:in-build:3" });
    assert.match(message, new RegExp(`✖ throw:in-build:3: .*outside v2 is still there: .*${file}`));
  });

test("a callback that keeps v1 open is found", async () => {
  assert.match((await planted("keeps-open")).message, /✖ plain: start failed: [^]*\[cutover:HELD/);
});

test("a callback that never settles is found, and named", async () => {
  const { message } = await planted("never-settles", { timeoutMs: 2500 });
  assert.match(message, /✖ plain: the application's build did not settle within 2\.5 s/);
});

test("an upgrade pauses at a point, and a test looks at the directory", async () => {
  const place = seed();
  const start = (onEvent) => migrate(options(place.path, { onEvent }));
  const seen = [];
  const { outcome } = await pauseAt("before-flip", start, async ({ op }) => {
    seen.push(op, ...readdirSync(place.directory).filter((name) => name.includes(".building-")));
    assert.ok(existsSync(place.path));
  });
  assert.equal(outcome, "migrated");
  assert.equal(seen.length, 2, String(seen));
  assertUpgraded(place);
});

test("what a look throws is what the pause throws, and a point that is not there is named", async () => {
  const boom = new Error("look");
  const place = seed();
  const start = (onEvent) => migrate(options(place.path, { onEvent }));
  const look = () => Promise.reject(boom);
  assert.equal(await failure(pauseAt("before-flip", start, look)), boom);
  assertUpgraded(place);
  const none = await failure(pauseAt("before-undo", start, look));
  assert.match(none.message, /did not come to before-undo; it came to no step/);
});
