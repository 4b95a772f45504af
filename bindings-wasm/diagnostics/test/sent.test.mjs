// What people really send: archives, mails, folders with several databases, large databases.
import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { strToU8, zipSync } from "fflate";
import { doctor, overwrite, seed, shell, upgraded, V1 } from "../examples/scenes.mjs";
import { drop, judged, launch, open, paste, serve } from "./support.mjs";

const scratch = mkdtempSync(join(tmpdir(), "cutover-sent-"));
let server, browser, page, said;

before(async () => {
  server = await serve();
  browser = await launch();
  ({ page, said } = await open(browser, server.address));
});
after(async () => {
  await browser?.close();
  server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

const file = (name, content) => {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
};
const gave = (...paths) => judged(page, () => drop(page, paths));
const damaged = () => {
  const path = seed(`${V1} INSERT INTO notes(body) SELECT hex(randomblob(60)) FROM notes;`);
  overwrite(path, 4096 * 3, "\0".repeat(4096 * 4));
  return path;
};

test("a bundle is judged gzipped, zipped, with a screenshot and with a log beside it", async () => {
  const bundle = doctor(await upgraded());
  const screenshot = file("screen.png", Buffer.from("89504e470d0a1a0a0000", "hex"));
  const log = file("app.log", "12:00 ENOSPC: no space left on device, write\n");
  const plain = file("bundle.json", bundle);
  const zip = (entries) => Buffer.from(zipSync(entries));
  for (const [what, paths] of [
    ["gzipped", [file("bundle.json.gz", gzipSync(bundle))]],
    ["zipped", [file("sent.zip", zip({ "bundle.json": strToU8(bundle) }))]],
    ["zipped with a log", [file("both.zip", zip({ "a/bundle.json": strToU8(bundle), "a/app.log": strToU8("EBUSY: busy, rename") }))]],
    ["with a screenshot", [plain, screenshot]],
    ["with a log", [plain, log]],
    ["in a mail", [file("mail.eml", `Subject: help\r\n\r\n${bundle.replace(/^/gm, "> ")}\r\n-- \r\nAnn\r\n`)]],
  ]) {
    const answer = await gave(...paths);
    assert.deepEqual([answer.safety, answer.kind], ["safe", "bundle"], `${what}: ${answer.because}`);
    assert.match(answer.headline, /^The data was safe on \d+ /, what);
    assert.match(await page.textContent(".made"), /^Made \d{4}-.* on linux .*node .*cutover .* SQLite /);
  }
  assert.match((await gave(plain, log)).whole, /What each piece says.*app\.log/);
  for (const [what, path] of [
    ["a gzip that is cut short", file("cut.json.gz", gzipSync(bundle).subarray(0, 900))],
    ["a zip that is cut short", file("cut.zip", zip({ "b.json": strToU8(bundle) }).subarray(0, 500))],
    ["a zip of a bundle that is cut short", file("part.zip", zip({ "b.json": strToU8(bundle.slice(0, -200)), "c.log": strToU8("x") }))],
  ]) {
    const answer = await gave(path);
    assert.equal(answer.safety, "cannot-tell", what);
    assert.match(answer.because, /cut short|could not read|damaged/, what);
  }
});

test("a zipped folder is judged as the folder", async () => {
  const path = await upgraded();
  const folder = dirname(path);
  const zipped = (name) => {
    const entries = readdirSync(folder).map((entry) => [
      `app/${entry}`,
      new Uint8Array(readFileSync(join(folder, entry))),
    ]);
    return file(`${name}.zip`, Buffer.from(zipSync(Object.fromEntries(entries))));
  };
  const good = await gave(zipped("good"));
  assert.deepEqual([good.safety, good.kind], ["safe", "folder"], good.because);
  overwrite(path, 4096, "\0".repeat(4096));
  assert.equal((await gave(zipped("bad"))).safety, "not-safe");
});

test("the page asks which database is meant, and judges that one", async () => {
  const folder = join(scratch, "profile");
  mkdirSync(join(folder, "Network"), { recursive: true });
  copyFileSync(damaged(), join(folder, "History"));
  copyFileSync(seed(), join(folder, "data.db"));
  copyFileSync(seed(), join(folder, "Network/Cookies"));
  writeFileSync(join(folder, "Preferences"), "{}");
  const all = await gave(folder);
  assert.equal(all.safety, "not-safe");
  assert.match(all.because, /3 databases; this is History/);
  const names = await page.locator("[data-database]").allTextContents();
  assert.deepEqual(names.sort(), ["History", "Network/Cookies", "data.db"]);
  const one = await judged(page, () => page.click("[data-database='data.db']"));
  assert.deepEqual([one.safety, one.because.includes("data.db")], ["safe", true], one.because);
});

test("a folder and an earlier bundle are compared", async () => {
  const path = seed(`PRAGMA journal_mode=WAL; ${V1}`);
  try {
    shell(path, "INSERT INTO notes(body) VALUES ('later');", ".shell kill -9 $PPID");
  } catch ({ signal }) {
    assert.equal(signal, "SIGKILL");
  }
  const earlier = file("earlier.json", doctor(path));
  rmSync(`${path}-wal`);
  rmSync(`${path}-shm`);
  assert.equal((await gave(dirname(path))).safety, "safe", "nothing in the folder tells of the log");
  const both = await gave(dirname(path), earlier);
  assert.equal(both.safety, "not-safe", both.because);
  assert.match(both.because, /The log of data\.db is gone: on .* it held 1 committed transaction/);
});

test("the old answer goes at once, and a large database is read only if the person says so", async () => {
  await judged(page, () => paste(page, "ENOSPC: no space left on device, write"));
  const folder = join(scratch, "large");
  mkdirSync(folder);
  const path = join(folder, "data.db");
  shell(path, V1);
  // Sparse, and longer than its header says: SQLite reads what the header counts.
  truncateSync(path, 400 << 20);
  overwrite(path, 28, Buffer.from([0, 1, 0x90, 0]).toString("latin1"));
  const first = await gave(folder);
  assert.notEqual(first.safety, "safe");
  assert.match(await page.textContent("[data-all]"), /Read every page/);
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => {
      const { safety } = document.getElementById("answer").dataset;
      const busy = document.querySelector(".busy p")?.textContent;
      if (busy) window.seen.push([safety ?? null, busy]);
    }).observe(document.getElementById("answer"), { childList: true, subtree: true, characterData: true });
  });
  const whole = await judged(page, () => page.click("[data-all]"));
  assert.equal(whole.safety, "not-safe", whole.because);
  const seen = await page.evaluate(() => window.seen);
  assert.ok(seen.length > 1 && seen.every(([safety]) => safety === null), JSON.stringify(seen));
  assert.ok(seen.some(([, busy]) => /Reading every page of data\.db: \d+ %/.test(busy)), JSON.stringify(seen));
});

test("the person can stop the reading, and the page then cannot tell", async () => {
  const folder = join(scratch, "stopped");
  mkdirSync(folder);
  const path = join(folder, "data.db");
  shell(path, `${V1} CREATE TABLE big(x); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i<60000) INSERT INTO big SELECT randomblob(3900) FROM n;`);
  await page.evaluate(() => {
    const stop = () => document.querySelector(".busy button")?.click();
    new MutationObserver((_, observer) => {
      if (!document.querySelector(".busy p")?.textContent.includes("%")) return;
      observer.disconnect();
      stop();
    }).observe(document.getElementById("answer"), { childList: true, subtree: true, characterData: true });
  });
  const answer = await gave(folder);
  assert.equal(answer.safety, "cannot-tell", answer.because);
  assert.match(answer.because, /the reading was stopped/);
  assert.equal((await gave(folder)).safety, "safe");
});

test("the console is empty", () => assert.deepEqual(said, []));
