// The pictures of the page: lanes, findings and the crash matrix; by keyboard, for a screen reader,
// on a phone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import * as native from "cutover/pure";
import { judged, launch, open, paste, serve } from "./support.mjs";
import { migrations } from "../../test/observations.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const examples = JSON.parse(readFileSync(new URL("../src/examples.json", import.meta.url), "utf8"));
let server, browser, page, asked, said;

before(async () => {
  server = await serve();
  browser = await launch();
  ({ page, asked, said } = await open(browser, server.address));
});
after(async () => {
  await browser?.close();
  server?.close();
});

const show = (id, on = page) => judged(on, () => on.click(`[data-example=${id}]`));
const step = async () => Number(/Step (\d+) of/.exec(await page.textContent(".step .count"))[1]);
/** The files after the selected step: what each holds, and what survives a power loss. */
const table = () =>
  page.$$eval(".after tbody tr", (rows) =>
    Object.fromEntries(
      rows.map(({ cells }) => [cells[0].textContent, [cells[1].textContent, cells[2].textContent]]),
    ),
  );

test("the keyboard moves through the lanes, and each step says why", async () => {
  await show("plan");
  const { steps, flipAt, journal } = JSON.parse(
    examples.find(({ id }) => id === "plan").given.text,
  );
  const { canonical, staging, backup } = journal.names;
  assert.equal(await step(), flipAt + 1);
  assert.deepEqual(
    await table().then((files) => [files[canonical], files[staging], files[backup]]),
    [
      ["v2", "v1"],
      ["not there", "v2"],
      ["v1", "v1"],
    ],
  );
  await page.focus(".lanes thead button[aria-current]");
  await page.keyboard.press("ArrowLeft");
  assert.deepEqual((await table())[canonical], ["v1", "v1"]);
  await page.keyboard.press("Home");
  for (const [at, { why }] of steps.entries()) {
    assert.equal(await step(), at + 1);
    assert.ok((await page.textContent(".step")).includes(`${why}.`), why);
    assert.equal(
      await page.evaluate(() => document.activeElement.getAttribute("aria-current")),
      "step",
    );
    await page.keyboard.press("ArrowRight");
  }
  assert.equal(await step(), steps.length);
  const end = await table();
  assert.deepEqual(
    [end[canonical], end[backup], end[`${backup}.json`]],
    [
      ["v2", "v2"],
      ["v1", "v1"],
      ["receipt", "receipt"],
    ],
  );
  assert.deepEqual(
    Object.keys(end)
      .filter((name) => end[name].some((held) => held !== "not there"))
      .sort(),
    [canonical, backup, `${backup}.json`].sort(),
  );
});

test("at every step of every plan a file holds v1 durably, and canonical is v1 or v2", async () => {
  const plans = [...migrations()].flatMap(([observation, request]) => {
    try {
      return [native.plan(observation, request)];
    } catch {
      return [];
    }
  });
  assert.ok(plans.length >= 192);
  let steps = 0;
  for (const plan of [
    ...plans.filter((_, at) => at % 5 === 0),
    ...["killed", "plan", "plan-page-copy"],
  ]) {
    if (typeof plan === "string") await show(plan);
    else await judged(page, () => paste(page, JSON.stringify(plan)));
    const states = await page.evaluate(() =>
      [...document.querySelectorAll(".lanes thead button")].map((button) => {
        button.click();
        return [...document.querySelectorAll(".after tbody tr")].map(({ cells }) =>
          [...cells].map((cell) => cell.textContent),
        );
      }),
    );
    for (const [at, files] of states.entries()) {
      const where = `${plan.kind ?? plan} on ${plan.platform}, step ${at + 1}: ${JSON.stringify(files)}`;
      assert.ok(
        files.some(([, , durable]) => /^(copy of )?v1$/.test(durable)),
        where,
      );
      for (const held of files.find(([name]) => name === "data.db").slice(1))
        assert.match(held, /^v[12]$/, where);
    }
    steps += states.length;
    if (plan.kind)
      assert.deepEqual(
        states
          .at(-1)
          .find(([name]) => name === "data.db")
          .slice(1),
        ["v2", "v2"],
      );
  }
  assert.ok(steps > 1000);
});

test("a plan without a flush shows a flip whose backup is not durable, and the finding says which step belongs there and why", async () => {
  const answer = await show("plan-unflushed");
  assert.equal(answer.headline, "Do not perform this plan.");
  const { given } = examples.find(({ id }) => id === "plan-unflushed");
  const [finding] = native.validatePlan(given.text);
  assert.equal(await page.textContent(".findings code"), "step");
  const said = await page.textContent(".findings li");
  for (const text of [finding.message, finding.why]) assert.ok(said.includes(text), said);
  assert.ok((await page.textContent(".findings .fix")).includes(finding.hint));
  assert.equal(await step(), finding.step + 1);
  assert.ok((await page.textContent(".breaks")).includes(finding.why));
  const backup = JSON.parse(given.text).journal.names.backup;
  assert.deepEqual((await table())[backup], ["v1", "not there"]);
});

test("a leaked connection of the build adds the step that copies staging", async () => {
  await show("plan-page-copy");
  const skipped = () => page.$$eval(".lanes thead button.skipped", (buttons) => buttons.length);
  const free = await skipped();
  await page.check("#held");
  await page.waitForFunction(
    (free) => document.querySelectorAll(".lanes thead button.skipped").length !== free,
    free,
  );
});

test("the page explains an error in three lines", async () => {
  await show("eperm");
  assert.deepEqual(
    await page.$$eval(".error dt", (terms) => terms.map((term) => term.textContent)),
    ["What", "Why", "What to do"],
  );
});

/** The matrix of the page: each cell as "states/bad/broken". */
const cells = (at) =>
  page.$$eval(`.matrices .one:nth-child(${at + 1}) tbody tr`, (rows) =>
    rows
      .filter((row) => row.querySelector("code"))
      .map((row) =>
        [...row.querySelectorAll("td")].map(
          (cell) => cell.querySelector("button")?.dataset.cell ?? "0/0/0",
        ),
      ),
  );

async function crash(settings, compare = false) {
  for (const [id, value] of Object.entries(settings)) await page.selectOption(`#${id}`, value);
  if (await page.isEnabled("#compare")) await page.setChecked("#compare", compare);
  await page.click("#matrix button[type=submit]");
  await page.waitForFunction(
    () => /^Explored|could not/.test(document.getElementById("explored").textContent),
    null,
    { timeout: 120_000 },
  );
  assert.match(await page.textContent("#explored"), /^Explored/);
}

const question = (strategy, models, platform = "linux", by = "sql", from = "empty") => ({
  strategy,
  platform,
  by,
  from,
  models,
});
const M = ["M0", "M1", "M2", "M3"];

test("the matrix has the figures of the native explorer, beside those of two plain renames", async () => {
  for (const [settings, asked] of [
    [
      { strategy: "link-replace", "matrix-platform": "linux", built: "sql empty" },
      question("link-replace", M),
    ],
    [
      { strategy: "page-copy", "matrix-platform": "linux", built: "host copy" },
      question("page-copy", M, "linux", "host", "copy"),
    ],
    [
      { strategy: "link-replace", "matrix-platform": "windows", built: "sql empty" },
      question("link-replace", ["Windows"], "windows"),
    ],
  ]) {
    await crash(settings, true);
    const matrices = [
      await native.explore(asked),
      ...(asked.platform === "linux" ? [await native.explore(question("two-rename", M))] : []),
    ];
    assert.equal(await page.locator(".matrices .one").count(), matrices.length);
    for (const [at, matrix] of matrices.entries()) {
      const expected = matrix.cells.map((row) =>
        row.map(({ states, bad, broken }) =>
          states === 0 ? "0/0/0" : `${states}/${bad}/${broken}`,
        ),
      );
      assert.deepEqual(await cells(at), expected);
      const { states, bad, broken } = await page.$eval(
        `.matrices .one:nth-child(${at + 1})`,
        ({ dataset }) => ({ ...dataset }),
      );
      assert.deepEqual([states, bad, broken].map(Number), [
        matrix.states,
        matrix.bad,
        matrix.broken,
      ]);
    }
  }
});

test("the page tells a crash: what it left, which rule broke, and the recovery", async () => {
  await crash({ strategy: "two-rename", "matrix-platform": "linux" });
  await page.locator(".matrices button.bad").first().click();
  await page.waitForSelector(".lines li.start");
  const { cells } = await native.explore(question("two-rename", M));
  const { replay, broken } = cells
    .flat()
    .flatMap(({ crashes }) => crashes)
    .find((one) => one.broken);
  assert.deepEqual(
    await page.$$eval(".lines li", (lines) => lines.map((line) => line.textContent)),
    await native.replayCrash(replay),
  );
  assert.ok((await page.textContent(".broken")).includes(broken.rule));
});

test("a person can cancel an exploration and begin another", async () => {
  await page.selectOption("#strategy", "link-replace");
  await page.selectOption("#built", "host copy");
  // Both clicks in one turn of the event loop, so that the exploration cannot end before.
  await page.evaluate(() => {
    document.querySelector("#matrix button[type=submit]").click();
    [...document.querySelectorAll("#matrix button")]
      .find((button) => button.textContent === "Cancel")
      .click();
  });
  await page.waitForFunction(
    () => document.getElementById("explored").textContent === "Cancelled.",
  );
  assert.equal(await page.locator(".matrices .one").count(), 0);
  await crash({ strategy: "link-replace", built: "sql empty" });
});

test("without a kind of crash there is no matrix, and the page says so", async () => {
  for (const model of M) await page.uncheck(`#model-${model}`);
  await page.click("#matrix button[type=submit]");
  await page.waitForFunction(() =>
    /could not explore/.test(document.getElementById("explored").textContent),
  );
  for (const model of M) await page.check(`#model-${model}`);
});

test("the keyboard alone reaches an example, its answer and its reply", async () => {
  const { page, context } = await open(browser, server.address);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const at = () =>
    page.evaluate(
      () =>
        document.activeElement.id ||
        document.activeElement.dataset.example ||
        document.activeElement.textContent,
    );
  const seen = [];
  while (!seen.includes("upgraded") && seen.length < 30) {
    await page.keyboard.press("Tab");
    seen.push(await at());
  }
  assert.deepEqual(
    seen.filter((id) => ["text", "files", "folder", "platform"].includes(id)),
    ["text", "files", "folder", "platform"],
  );
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer[data-safety]");
  assert.equal(await at(), "answer-title");
  await page.keyboard.press("Tab");
  assert.equal(await at(), "Copy the reply");
  await context.close();
});

for (const [name, options] of Object.entries({
  light: {},
  dark: { colorScheme: "dark" },
  narrow: { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true },
})) {
  test(`axe finds nothing, and no view is wider than the page: ${name}`, async () => {
    const { page, context } = await open(browser, server.address, options);
    await page.evaluate(() => (document.getElementById("examples-box").open = true));
    await page.evaluate(axe);
    const check = async (where) => {
      const { violations } = await page.evaluate(() => axe.run());
      assert.deepEqual(
        violations.map(({ id, impact, nodes }) => [
          id,
          impact,
          nodes[0].html.slice(0, 120),
          nodes[0].failureSummary,
        ]),
        [],
        where,
      );
      assert.ok(
        await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        `${where} is wider than the page`,
      );
    };
    await check("empty");
    for (const id of ["plan-unflushed", "killed", "gone", "eperm", "held", "newer"]) {
      await show(id, page);
      await check(id);
    }
    await page.check("#compare");
    await page.click("#matrix button[type=submit]");
    await page.waitForFunction(
      () => /^Explored/.test(document.getElementById("explored").textContent),
      null,
      { timeout: 120_000 },
    );
    await page.locator(".matrices button.bad").first().click();
    await page.waitForSelector(".lines li.start");
    await check("matrix");
    await context.close();
  });
}

test("the page requested only its own files, and the console is empty", () => {
  for (const { method, url, body } of asked) {
    assert.deepEqual([method, body], ["GET", null]);
    assert.match(
      url,
      /^http:\/\/127\.0\.0\.1:\d+\/some\/folder\/(assets\/[\w-]+\.(js|css|wasm)|icon\.svg)?$/,
    );
  }
  assert.deepEqual(said, []);
});
