// The modules that a page loads, and their sizes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import * as cutover from "cutover-wasm";
import { diagnose } from "cutover-wasm/diagnose";
import { planLanes } from "cutover-wasm/explore";

/** The size of a module, bytes, with the best compression of gzip. */
const size = (name) =>
  gzipSync(readFileSync(new URL(`../dist/wasm/${name}`, import.meta.url)), { level: 9 }).length;

/**
 * The largest size of the module that plans and validates. The aim is 160,000 bytes, but the
 * readers that serde derives need more: it has 192,082 bytes.
 */
const MOST = 195_000;

test("the module that plans stays small, and the size of each module is printed", (t) => {
  const names = [
    "cutover_wasm_bg.wasm",
    "cutover_wasm_diagnose_bg.wasm",
    "cutover_wasm_explorer_bg.wasm",
  ];
  for (const name of names) t.diagnostic(`${name}: ${size(name)} bytes gzip`);
  assert.ok(
    size(names[0]) <= MOST,
    `${names[0]} has ${size(names[0])} bytes gzip; at most ${MOST} may be loaded`,
  );
});

test("the functions need their module, and two calls of load load it once", async () => {
  const calls = [
    () => cutover.explainError("cutover:IO"),
    () => cutover.validatePlan("{}"),
    () => cutover.plan({}, {}),
    () => cutover.planRecovery({}, { label: "v1-v2", nonce: "1a2b3c4d" }),
  ];
  for (const call of calls) assert.throws(call, /is not loaded; call load\(\) first/);
  await Promise.all([cutover.load(), cutover.load()]);
  assert.equal(cutover.explainError("cutover:IO").code, "IO");
});

test("the diagnosis and the explorer load when they are first called", async () => {
  const [diagnosis, again, lanes] = await Promise.all([
    diagnose({ text: "#IO" }),
    diagnose({ text: "#IO" }),
    planLanes({ text: "#IO" }),
  ]);
  assert.equal(diagnosis.explanation.code, "IO");
  assert.deepEqual(again, diagnosis);
  assert.equal(lanes, null);
});

test("the module loads in a worker", async () => {
  const code = `import { load, explainError } from ${JSON.stringify(import.meta.resolve("cutover-wasm"))};
    import { parentPort } from "node:worker_threads";
    await load();
    parentPort.postMessage(explainError("cutover:HELD").code);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const said = await new Promise((resolve, reject) =>
    worker.once("message", resolve).once("error", reject),
  );
  assert.equal(said, "HELD");
});
