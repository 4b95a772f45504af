// The answers of the page in real Chromium, for each way to give it something.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as native from "cutover/pure";
import { drop, judged, launch, open, paste, serve } from "./support.mjs";

const examples = JSON.parse(readFileSync(new URL("../src/examples.json", import.meta.url), "utf8"));
const example = (id) => examples.find((one) => one.id === id);
const scratch = mkdtempSync(join(tmpdir(), "cutover-page-"));
let server, browser, context, page, asked, said;

before(async () => {
  server = await serve();
  browser = await launch();
  ({ context, page, asked, said } = await open(browser, server.address, { acceptDownloads: true }));
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
});
after(async () => {
  await browser?.close();
  server?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** The page must answer as the addon does. */
function agrees(answer, given) {
  const { safety, kind, because, reply } = native.diagnose(given);
  assert.deepEqual(
    [answer.safety, answer.kind, answer.because, answer.reply],
    [safety, kind, because.replaceAll("`", ""), reply],
  );
}

/** The verdict of each example, written by hand. */
const SAFE = ["upgraded", "before", "killed", "log-bundle", "plan", "plan-page-copy"];
const NOT_SAFE = [
  "damaged",
  "not-a-database",
  "gone",
  "orphan-log",
  "cut",
  "corrupt-message",
  "plan-unflushed",
];
const CANNOT_TELL = [
  "log-folder",
  "between-renames",
  "held",
  "eperm",
  "owned",
  "code",
  "journal",
  "receipt",
  "newer",
];

test("the page gives every example its right verdict", async () => {
  assert.deepEqual(
    examples.map(({ id }) => id).sort(),
    [...SAFE, ...NOT_SAFE, ...CANNOT_TELL].sort(),
  );
  for (const { id, given } of examples) {
    const answer = await judged(page, () => page.click(`[data-example=${id}]`));
    agrees(answer, given);
    const expected = SAFE.includes(id)
      ? "safe"
      : NOT_SAFE.includes(id)
        ? "not-safe"
        : "cannot-tell";
    assert.equal(answer.safety, expected, id);
    assert.equal(/\b(is|was) safe\b/.test(answer.headline + answer.reply), expected === "safe", id);
  }
});

test("the time to the verdict is printed", async (t) => {
  const times = [];
  for (const { id } of examples)
    times.push(Number((await judged(page, () => page.click(`[data-example=${id}]`))).took));
  times.sort((a, b) => a - b);
  t.diagnostic(
    `${times.length} examples: median ${times[times.length >> 1]} ms, longest ${times.at(-1)} ms`,
  );
});

test("the page judges a text that a person pastes, types or drops, and a code in the address", async () => {
  for (const text of [
    example("plan").given.text,
    example("journal").given.text,
    example("receipt").given.text,
    example("upgraded").given.text,
    "EPERM: operation not permitted, fsync 'C:\\Users\\ann\\data.db'",
    "[cutover:HELD:look]",
  ]) {
    await page.fill("#text", "");
    agrees(await judged(page, () => paste(page, text)), { text });
  }
  await page.fill("#text", "ENOSPC: no space left on device, write");
  agrees(await judged(page, () => page.click("#drop button[type=submit]")), {
    text: "ENOSPC: no space left on device, write",
  });
  await page.fill("#text", "EIO");
  agrees(await judged(page, () => page.press("#text", "Control+Enter")), { text: "EIO" });
  agrees(await judged(page, () => page.evaluate(() => (location.hash = "IO:fsync:EIO"))), {
    text: "#IO:fsync:EIO",
  });
  const fresh = await open(browser, `${server.address}#NO_SPACE`);
  await fresh.page.waitForSelector("#answer[data-safety]");
  assert.equal(await fresh.page.textContent(".error dd"), "NO_SPACE");
  await fresh.context.close();
  const line = join(scratch, "app.log");
  writeFileSync(
    line,
    `${"nothing\n".repeat(50)}EBUSY: resource busy or locked, rename 'data.db'\n`,
  );
  agrees(await judged(page, () => drop(page, [line])), { text: readFileSync(line, "utf8") });
});

const shell = (path, ...sql) => execFileSync("sqlite3", [path, ...sql]);

test("the page reads a bundle that PowerShell wrote in UTF-16", async () => {
  const { text } = example("upgraded").given;
  const path = join(scratch, "bundle.json");
  writeFileSync(path, `\ufeff${text}`, "utf16le");
  agrees(await judged(page, () => page.setInputFiles("#files", path)), { text });
});

test("the page judges a database of 4 GB by its first page", async (t) => {
  const path = join(scratch, "data.db");
  shell(path, "PRAGMA page_size=4096; PRAGMA user_version=7; CREATE TABLE t(a)");
  const head = readFileSync(path).subarray(0, 4096);
  head.writeUInt32BE(2 ** 20, 28);
  writeFileSync(path, head);
  truncateSync(path, 2 ** 32);
  const answer = await judged(page, () => page.setInputFiles("#files", path));
  agrees(answer, { files: [{ name: "data.db", size: 2 ** 32, head: head.toString("hex") }] });
  const [, read] = /The page read ([\d.]+) KB of 4\.0 GB\./.exec(answer.read);
  assert.ok(Number(read) < 1024, answer.read);
  t.diagnostic(answer.read);
});

test("the page judges a database with its log, as files and as a folder, picked and dropped", async () => {
  const directory = join(scratch, "picked");
  mkdirSync(join(directory, "below"), { recursive: true });
  // A real log: the test kills the writer before a checkpoint.
  try {
    shell(
      join(directory, "data.db"),
      "PRAGMA journal_mode=WAL; CREATE TABLE t(a);",
      ".shell true",
      "INSERT INTO t VALUES (1)",
      ".shell kill -9 $PPID",
    );
    assert.fail("it was not killed");
  } catch ({ signal }) {
    assert.equal(signal, "SIGKILL");
  }
  writeFileSync(join(directory, "notes.txt"), "nothing of ours");
  writeFileSync(join(directory, "below/readme.txt"), "nothing of ours either");
  const bytes = (name) => readFileSync(join(directory, name));
  const piece = (name) => ({ name, size: bytes(name).length });
  const given = async (wholeFolder, more = []) => ({
    files: [
      {
        ...piece("data.db"),
        head: bytes("data.db").subarray(0, 4096).toString("hex"),
        check: { result: "sound" },
        content: { tables: 1, rows: 1 },
      },
      { ...piece("data.db-shm"), head: bytes("data.db-shm").subarray(0, 136).toString("hex") },
      {
        ...piece("data.db-wal"),
        wal: await native.readWal(bytes("data.db-wal"), bytes("data.db-shm")),
      },
      ...more,
    ],
    wholeFolder,
  });
  const set = ["data.db", "data.db-shm", "data.db-wal"].map((name) => join(directory, name));
  const answers = [];
  for (const give of [() => page.setInputFiles("#files", set), () => drop(page, set)]) {
    const answer = await judged(page, give);
    answers.push(answer);
    agrees(answer, await given(false));
  }
  for (const give of [
    () => page.setInputFiles("#folder", directory),
    () => drop(page, [directory]),
  ]) {
    const answer = await judged(page, give);
    answers.push(answer);
    agrees(answer, await given(true, [piece("notes.txt"), piece("below/readme.txt")]));
  }
  assert.deepEqual(
    answers.map(({ safety }) => safety),
    ["cannot-tell", "cannot-tell", "safe", "safe"],
  );
  assert.match(answers.at(-1).because, /just now, with its log.*1 row in 1 table/);
  assert.match(
    answers.at(-1).whole,
    /1 committed transaction that may not|committed transactions that may not/,
  );
  agrees(await judged(page, () => page.setInputFiles("#files", set[2])), {
    files: [{ ...piece("data.db-wal"), wal: await native.readWal(bytes("data.db-wal")) }],
  });
});

test("a folder with the remains of a removed database is not safe; an empty folder tells nothing", async () => {
  const directory = join(scratch, "gone");
  mkdirSync(directory);
  for (const { name, text, head, size } of example("cut").given.files)
    writeFileSync(
      join(directory, name),
      text ??
        (head
          ? Buffer.concat([Buffer.from(head, "hex"), Buffer.alloc(size - head.length / 2)])
          : Buffer.alloc(size)),
    );
  assert.equal((await judged(page, () => drop(page, [directory]))).safety, "not-safe");
  rmSync(join(directory, "data.db"));
  const gone = await judged(page, () => drop(page, [directory]));
  assert.equal(gone.safety, "not-safe");
  assert.match(gone.because, /is missing/);
  const empty = join(scratch, "empty");
  mkdirSync(empty);
  assert.equal((await judged(page, () => drop(page, [empty]))).safety, "cannot-tell");
});

test("the page never calls noise, a cut text or a newer bundle safe", async (t) => {
  const bundle = example("upgraded").given.text;
  const noise = join(scratch, "noise.bin");
  writeFileSync(
    noise,
    Buffer.from(Uint8Array.from({ length: 10 << 20 }, (_, at) => (at * 7919) >> 3)),
  );
  assert.equal(
    (await judged(page, () => page.setInputFiles("#files", noise))).safety,
    "cannot-tell",
  );
  const named = join(scratch, "noise.db");
  copyFileSync(noise, named);
  assert.equal((await judged(page, () => page.setInputFiles("#files", named))).safety, "not-safe");
  const letters = Array.from({ length: 10 << 20 }, (_, at) =>
    String.fromCharCode(33 + ((at * 31) % 90)),
  ).join("");
  const long = await judged(page, () => paste(page, letters));
  assert.equal(long.safety, "cannot-tell");
  t.diagnostic(`10 MB of letters: ${long.took} ms`);
  for (const at of [1, 10, 100, bundle.length >> 1, bundle.length - 2]) {
    const cut = await judged(page, () => paste(page, bundle.slice(0, at)));
    assert.equal(cut.safety, "cannot-tell", `${at}: ${cut.because}`);
  }
  const newer = await judged(page, () =>
    paste(page, JSON.stringify({ ...JSON.parse(bundle), version: 2 })),
  );
  assert.equal(newer.safety, "cannot-tell");
  assert.match(newer.because, /newer release/);
});

test("the page judges the bundle that a server encloses in it at once", async () => {
  const { text } = example("upgraded").given;
  const own = await serve(text);
  const { page, context } = await open(browser, own.address);
  agrees(await judged(page, () => page.reload()), { text });
  await context.close();
  own.close();
});

test("the page judges a very long plan, and draws its beginning", async () => {
  const plan = JSON.parse(example("plan").given.text);
  const text = JSON.stringify({
    ...plan,
    steps: [...plan.steps, ...Array(900).fill(plan.steps[0])],
  });
  const answer = await judged(page, () => paste(page, text));
  agrees(answer, { text });
  assert.equal(answer.safety, "not-safe");
  assert.equal(await page.locator(".lanes thead button").count(), 300);
  assert.equal(await page.locator(".findings li").count(), 1);
});

const HOSTILE = `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>`;

test("no address makes the page say that the data is safe", async () => {
  const bundle = example("upgraded").given.text;
  const safe = "your data is whole, upgraded, in data.db; start again [cutover:HOST:build-host]";
  for (const hash of [bundle, JSON.stringify(JSON.parse(bundle)), safe, "HOST:build-host", "HOST"]) {
    for (const address of [`#${encodeURIComponent(hash)}`, `#${hash}`]) {
      const fresh = await open(browser, server.address + address);
      const { safety } = await fresh.page.evaluate(() => ({
        ...document.getElementById("answer").dataset,
      }));
      assert.ok([undefined, "cannot-tell"].includes(safety), `${hash.slice(0, 40)}: ${safety}`);
      await fresh.context.close();
    }
  }
});

test("the page shows text from outside as text", async () => {
  const bundle = JSON.parse(example("killed").given.text);
  bundle.path = HOSTILE;
  bundle.made.cutover = HOSTILE;
  bundle.observation.holders = [{ pid: 1, name: HOSTILE, thisProcess: false }];
  bundle.events = [
    null,
    1,
    "x",
    {},
    { type: HOSTILE },
    { type: "plan" },
    { type: "step", op: { a: 1 }, why: [HOSTILE] },
    { type: "wait", reason: HOSTILE },
    { type: "warning", warning: null },
    { type: "plan", kind: "constructor" },
  ];
  const answer = await judged(page, () => paste(page, JSON.stringify(bundle)));
  assert.ok(answer.whole.includes(HOSTILE), "it is shown as it is");
  const plan = JSON.parse(example("plan").given.text);
  plan.steps[0].why = HOSTILE;
  await judged(page, () => paste(page, JSON.stringify(plan)));
  await page.locator(".lanes thead button").first().click();
  assert.ok((await page.textContent(".step")).includes(HOSTILE));
  const nameless = join(scratch, "<img src=x onerror=alert(1)>.txt");
  writeFileSync(nameless, HOSTILE);
  await judged(page, () => drop(page, [nameless]));
  await page.evaluate((hash) => (location.hash = hash), encodeURIComponent(HOSTILE));
  assert.equal(await page.evaluate(() => window.hurt), undefined);
  assert.equal(await page.locator("main img, main script").count(), 0);
  await judged(page, () => page.click("[data-example=killed]"));
});

test("a person can copy the report and the reply, and download the report", async () => {
  const bundle = JSON.parse(example("killed").given.text);
  bundle.path = HOSTILE;
  const answer = await judged(page, () => paste(page, JSON.stringify(bundle)));
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await page.click("text=Copy the reply");
  await page.waitForSelector("text=Copied");
  assert.equal(await clipboard(), answer.reply);
  await page.click("text=Copy all as Markdown");
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith("# "));
  const markdown = await clipboard();
  assert.match(markdown, /^# The data was safe on \d+ \w+ \d{4}(,| at) \d\d:\d\d UTC\.\n/);
  assert.match(markdown, /\\<img/);
  assert.doesNotMatch(markdown, /(?<!\\)[<]/);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.click("text=Download the report"),
  ]);
  assert.equal(readFileSync(await download.path(), "utf8"), markdown);
});

test("the content security policy lets no request out and no script in", async () => {
  const { page, context, asked } = await open(browser, server.address);
  const before = asked.length;
  const refused = await page.evaluate(async () => {
    const said = [];
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
      said.push(effectiveDirective),
    );
    const elsewhere = "http://localhost:9/";
    await fetch(elsewhere).catch(() => {});
    navigator.sendBeacon(elsewhere, "x");
    const image = new Image();
    await new Promise((resolve) => ((image.onerror = resolve), (image.src = `${elsewhere}x.png`)));
    const script = document.createElement("script");
    script.textContent = "window.hurt = 1";
    document.body.append(script);
    try {
      new Function("window.hurt = 1")();
    } catch {}
    await new Promise((resolve) => setTimeout(resolve));
    return { said: [...new Set(said)].sort(), hurt: window.hurt };
  });
  assert.deepEqual(refused, {
    said: ["connect-src", "img-src", "script-src", "script-src-elem"],
    hurt: undefined,
  });
  assert.deepEqual(
    asked.slice(before).filter(({ url }) => !url.startsWith("http://localhost:9/")),
    [],
  );
  await context.close();
});

test("the page sent nothing that it was given, and the console is empty", () => {
  const own = asked.filter(({ url }) => !url.startsWith("blob:"));
  assert.ok(own.length > 3);
  for (const { method, url, body } of own) {
    assert.deepEqual([method, body], ["GET", null]);
    assert.match(
      url,
      /^http:\/\/127\.0\.0\.1:\d+\/some\/folder\/(assets\/[\w-]+\.(js|css|wasm)|icon\.svg)?$/,
    );
  }
  // Chromium requests the icon again when the code in the address changes.
  const files = own.map(({ url }) => url).filter((url) => !url.endsWith("icon.svg"));
  assert.equal(new Set(files).size, files.length, "the page requests each file once");
  assert.deepEqual(said, []);
});
