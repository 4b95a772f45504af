// What a page loads: how much, and that it does.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { gzipSync } from "node:zlib";
import * as cutover from "cutover-wasm";

/** Bytes, gzip at its best. */
const size = (name) => gzipSync(readFileSync(new URL(`../dist/wasm/${name}`, import.meta.url)), { level: 9 }).length;

test("what each module weighs is printed", (t) => {
  for (const name of ["cutover_wasm_bg.wasm", "cutover_wasm_explorer_bg.wasm"]) t.diagnostic(`${name}: ${size(name)} bytes gzip`);
});

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
