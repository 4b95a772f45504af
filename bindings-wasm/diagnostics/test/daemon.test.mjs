// The page as the sample daemon serves it, at the link on the last line of `npm start`: it shows
// the upgrade that just ran.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, open } from "./support.mjs";

const program = (name) =>
  fileURLToPath(new URL(`../../../tests/dist/daemon/${name}`, import.meta.url));

test("the link of `npm start` shows the upgrade that just ran, and the page sends nothing elsewhere", async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "cutover-page-"));
  // A path with a tag that would end the element around it.
  const directory = join(scratch, "<", "script><img src=x onerror='window.hurt=1'>");
  mkdirSync(directory, { recursive: true });
  assert.equal(spawnSync(process.execPath, [program("seed.js"), directory]).signal, "SIGKILL");
  const daemon = spawn(process.execPath, [program("main.js"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const browser = await launch();
  t.after(async () => {
    await browser.close();
    daemon.kill("SIGKILL");
    rmSync(scratch, { recursive: true, force: true });
  });
  let link;
  for await (const line of createInterface(daemon.stdout))
    if ((link = / (http:\S+)$/.exec(line)?.[1])) break;

  const { page, asked, said } = await open(browser, link);
  await page.waitForSelector("#answer[data-safety]");
  assert.deepEqual(await page.$eval("#answer", ({ dataset }) => [dataset.safety, dataset.kind]), [
    "safe",
    "bundle",
  ]);
  const text = await page.textContent("#answer");
  assert.match(text, /^SafeThe data was safe on \d+ \w+ \d{4}/);
  assert.match(text, /It is kept as data\.db\.v1-v2-\d{13}-[0-9a-f]{8}, which is whole by its receipt\./);
  assert.match(text, /It is data\.db, as it was checked\./);
  assert.ok(text.includes("</script><img"), "the path is shown as text");
  const story = await page.$$eval(".did li", (items) =>
    items.map(({ textContent }) => textContent),
  );
  assert.match(story[0], /^A plan to upgrade v1 to v2, in \d+ steps$/);
  assert.ok(
    story.length > 30 &&
      ["building", "built", "committed"].every((phase) =>
        story.includes(`The journal says ${phase}, durably`),
      ),
    story.join("\n"),
  );
  assert.ok(
    story.some((line) => /^rename data\.db – ./.test(line)),
    story.join("\n"),
  );
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  // The crash matrix runs in a worker with a module of its own.
  await page.click("#matrix button[type=submit]");
  await page.waitForFunction(
    () => /^Explored/.test(document.getElementById("explored").textContent),
    null,
    { timeout: 120_000 },
  );
  assert.ok(asked.length > 6);
  for (const { method, url, body } of asked) {
    assert.deepEqual([method, body], ["GET", null]);
    assert.ok(url.startsWith(link), url);
  }
  assert.deepEqual(said, []);
});
