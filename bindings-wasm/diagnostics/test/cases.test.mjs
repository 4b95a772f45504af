// Every case of the table: as a folder that is dropped on the page, as a bundle, and by `status`.
// Each must give the answer that the table has.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { diagnose } from "cutover/pure";
import { doctor } from "../examples/scenes.mjs";
import { folders, texts } from "./cases.mjs";
import { drop, judged, launch, open, paste, serve } from "./support.mjs";

const cli = join(createRequire(import.meta.url).resolve("cutover"), "../cli/main.js");
const ANSWERS = ["safe", "not-safe", "cannot-tell"];
let server, browser, page;

before(async () => {
  server = await serve();
  browser = await launch();
  ({ page } = await open(browser, server.address));
});
after(async () => {
  await browser?.close();
  server?.close();
});

test("the table has sixty cases, a third of them not safe and a third unknown", () => {
  const all = [...folders, ...texts];
  const count = (answer) => all.filter((one) => one.answer === answer).length;
  assert.ok(all.length >= 60, String(all.length));
  for (const answer of ANSWERS) assert.ok(count(answer) >= 20, `${answer}: ${count(answer)}`);
  assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
});

for (const { name, answer, make, less = [] } of folders)
  test(`a folder: ${name}`, async () => {
    const made = await make();
    const { path, folder } = typeof made === "string" ? { path: made, folder: dirname(made) } : made;
    const text = doctor(path);
    const bundle = diagnose({ text });
    const { status } = spawnSync(process.execPath, [cli, "status", path]);
    const dropped = await judged(page, () => drop(page, [folder]));
    const told = { folder: dropped.safety, bundle: bundle.safety, status: ANSWERS[status] };
    const expected = Object.fromEntries(
      Object.keys(told).map((by) => [by, less.includes(by) ? "cannot-tell" : answer]),
    );
    assert.deepEqual(told, expected, `${dropped.because}\n${bundle.because}`);
  });

for (const { name, answer, make } of texts)
  test(`a text: ${name}`, async () => {
    const text = await make();
    const pasted = await judged(page, () => paste(page, text));
    assert.equal(pasted.safety, answer, `${text.slice(0, 400)}\n${pasted.because}`);
    assert.notEqual(pasted.kind, "unknown", text.slice(0, 400));
    assert.equal(diagnose({ text }).safety, answer);
  });
