// What a page loads: how much, and that it does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import * as cutover from "cutover-wasm";

/** Bytes, gzip at its best. */
const size = (name) => gzipSync(readFileSync(new URL(`../dist/wasm/${name}`, import.meta.url)), { level: 9 }).length;

test("the modules are small", (t) => {
  const sizes = ["cutover_wasm_bg.wasm", "cutover_wasm_explorer_bg.wasm"].map((name) => [name, size(name)]);
  for (const [name, bytes] of sizes) {
    t.diagnostic(`${name}: ${bytes} bytes gzip`);
    assert.ok(bytes <= MOST[name], `${name} has ${bytes} bytes gzip; at most ${MOST[name]}`);
  }
});

// What they have today, rounded up, so that neither grows unseen. The first is what every page loads: at most 150_000.
const MOST = { "cutover_wasm_bg.wasm": 149_500, "cutover_wasm_explorer_bg.wasm": 180_000 };

test("nothing is there before it is loaded, and loading twice is loading once", async () => {
  assert.throws(() => cutover.explainError("cutover:IO"));
  await Promise.all([cutover.load(), cutover.load()]);
  assert.equal(cutover.explainError("cutover:IO").code, "IO");
});

test("it loads in a worker", async () => {
  const code = `import { load, explainError } from ${JSON.stringify(import.meta.resolve("cutover-wasm"))};
    import { parentPort } from "node:worker_threads";
    await load();
    parentPort.postMessage(explainError("cutover:HELD").code);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const said = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  assert.equal(said, "HELD");
});
