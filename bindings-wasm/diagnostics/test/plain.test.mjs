// cutover-wasm without a bundler: plain modules in a page, in real Chromium.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as native from "cutover/pure";
import { launch, serve } from "./support.mjs";

test("a page imports the three modules without a bundler, and explores in the worker", async (t) => {
  const server = await serve(undefined, fileURLToPath(new URL("../../dist", import.meta.url)));
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    server.close();
  });
  const page = await browser.newPage();
  // Any page of this server does.
  await page.goto(`${server.address}index.d.ts`);
  const question = {
    strategy: "two-rename",
    platform: "linux",
    by: "sql",
    from: "empty",
    models: ["M0"],
  };
  const answers = await page.evaluate(
    async ([address, question]) => {
      const [planner, support, explorer] = await Promise.all(
        ["index", "diagnose", "explore"].map((name) => import(`${address}${name}.js`)),
      );
      await planner.load();
      return [
        planner.explainError("#IO:fsync:EIO"),
        await support.diagnose({ text: "#IO:fsync:EIO" }),
        await explorer.explore(question),
      ];
    },
    [server.address, question],
  );
  assert.deepEqual(answers, [
    native.explainError("#IO:fsync:EIO"),
    native.diagnose({ text: "#IO:fsync:EIO" }),
    await native.explore(question),
  ]);
});
