// The packages `cutover` and `cutover-wasm` are twins: equal names, equal answers, equal errors. And
// what the WebAssembly answers is what the same Rust answers without it, to the byte.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { before, test } from "node:test";
import * as node from "cutover/pure";
import * as planner from "cutover-wasm";
import * as support from "cutover-wasm/diagnose";
import * as explorer from "cutover-wasm/explore";
import { native } from "./native.mjs";
import { base, headerBytes, hex, migrations, recoveries, request } from "./observations.mjs";

const require = createRequire(import.meta.url);

/** The functions that answer with a text. */
const FUNCTIONS = [
  "diagnose",
  "explainError",
  "plan",
  "planLanes",
  "planRecovery",
  "readDatabaseHeader",
  "replayCrash",
  "validatePlan",
];

const wasm = { ...planner, ...support, ...explorer };

/** Each call of the WebAssembly by the package `cutover`, with its answer. */
const calls = [];
for (const module of ["cutover_wasm", "cutover_wasm_diagnose", "cutover_wasm_explorer"]) {
  const { script } = require(`../../bindings-node/dist/wasm/${module}.js`);
  for (const name of FUNCTIONS.filter((name) => name in script)) {
    const answer = script[name];
    script[name] = (...args) => {
      const said = answer(...args);
      calls.push({ call: [name, ...args], said });
      return said;
    };
  }
}

before(() => planner.load());

const refused = ({ name, message, code }) => ({ name, message, code });

/** The answer of both sides, or the error of both. The two must be equal. */
function both(call) {
  const tried = [node, planner].map((side) => {
    try {
      return { ok: call(side) };
    } catch (error) {
      return refused(error);
    }
  });
  assert.deepEqual(tried[1], tried[0]);
  return tried[0];
}

/** `both` for the modules that load on their first call. */
async function bothLater(call) {
  const tried = await Promise.all(
    [node, wasm]
      .map(async (side) => call(side))
      .map((answer) => answer.then((ok) => ({ ok }), refused)),
  );
  assert.deepEqual(tried[1], tried[0]);
  return tried[0];
}

test("both packages export the same names", () => {
  const names = Object.keys(wasm)
    .filter((name) => name !== "load")
    .sort();
  assert.deepEqual(names, Object.keys(require("cutover/pure")).sort());
  for (const side of [support, explorer]) assert.equal(side.CutoverError, planner.CutoverError);
});

test("both packages give the same plans", () => {
  let plans = 0;
  for (const [observation, asked] of migrations())
    plans += "ok" in both((side) => side.plan(observation, asked));
  assert.ok(plans >= 192, `${plans}`);
});

test("both packages give the same recoveries", () => {
  const kinds = new Map();
  for (const observation of recoveries(node.plan)) {
    const { ok, code } = both((side) =>
      side.planRecovery(observation, { label: "v1-v2", nonce: "0badcafe" }),
    );
    const kind = ok?.kind ?? code ?? "nothing";
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (ok) assert.deepEqual(both((side) => side.validatePlan(ok)).ok, []);
  }
  for (const kind of ["finish", "undo", "clean", "set-aside", "JOURNAL"])
    assert.ok(kinds.get(kind) > 2, `${kind}: ${kinds.get(kind)}`);
});

test("both packages give the same findings, and refuse a wrong plan alike", () => {
  const { ok: plan } = both((side) => side.plan(base(), request()));
  assert.deepEqual(both((side) => side.validatePlan(plan)).ok, []);
  for (let at = 0; at < plan.steps.length; at++) {
    const { ok } = both((side) =>
      side.validatePlan({ ...plan, steps: plan.steps.toSpliced(at, 1) }),
    );
    assert.ok(Array.isArray(ok));
  }
  for (const wrong of [
    "",
    "{",
    "[]",
    "null",
    undefined,
    { ...plan, version: 99 },
    { ...plan, more: 1 },
    [plan.version, plan.kind],
  ]) {
    assert.equal(both((side) => side.validatePlan(wrong)).ok[0].kind, "structure");
  }
  assert.equal(both((side) => side.validatePlan(plan, {})).name, "TypeError");
});

test("both packages refuse wrong arguments alike", () => {
  for (const wrong of [
    {},
    [],
    null,
    { ...base(), more: 1 },
    base({ canonical: "../data.db" }),
    base({ platform: "beos" }),
  ]) {
    const { name, message } = both((side) => side.plan(wrong, request()));
    assert.deepEqual(
      [name, /cutover: observation: .* line 1 column \d+/.test(message)],
      ["TypeError", true],
      message,
    );
  }
  assert.match(
    both((side) => side.planRecovery(base(), { label: "V1", nonce: "0badcafe" })).message,
    /label "V1"/,
  );
  assert.match(
    both((side) => side.planRecovery(base(), { label: "v1-v2", nonce: "x" })).message,
    /nonce "x"/,
  );
});

test("both packages explain errors alike", () => {
  for (const line of [
    "[cutover:IO:fsync:EIO]",
    "cutover:OWNED",
    "Unknown error",
    "",
    new Error("x [cutover:HELD:look]"),
  ])
    both((side) => side.explainError(line));
  assert.equal(planner.explainError("[cutover:NO_SPACE]").code, "NO_SPACE");
});

test("both packages read headers and logs alike", async () => {
  const page = new Uint8Array(4096);
  page.set(headerBytes());
  assert.equal(
    (await bothLater((side) => side.readDatabaseHeader(page, 2 ** 42))).ok.size,
    2 ** 42,
  );
  assert.equal((await bothLater((side) => side.readDatabaseHeader(page))).ok.page1.length, 64);
  for (const bytes of [
    new Uint8Array(),
    new Uint8Array(4096),
    new TextEncoder().encode("hello"),
    page.slice(0, 99),
  ]) {
    const { code, message } = await bothLater((side) => side.readDatabaseHeader(bytes));
    assert.deepEqual([code, /\[cutover:NOT_A_DATABASE\]$/.test(message)], ["NOT_A_DATABASE", true]);
  }
  const log = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7919) >> 3);
  const logs = [new Uint8Array(), log, log.slice(0, 31)];
  const told = native(logs.map((bytes) => ["readWal", bytes]));
  for (const [at, bytes] of logs.entries()) {
    assert.deepEqual(await wasm.readWal(bytes), JSON.parse(told[at]).ok);
    assert.deepEqual(await wasm.readWal(bytes), await node.readWal(bytes));
    assert.deepEqual(
      await wasm.readWal([bytes.slice(0, 9), bytes.slice(9)]),
      await node.readWal(new Blob([bytes]).stream()),
    );
  }
});

test("both packages draw the same lanes, in which a file always holds v1 durably", async () => {
  let columns = 0;
  for (const [observation, asked] of migrations()) {
    const { ok: plan } = both((side) => side.plan(observation, asked));
    for (const stagingHeld of plan ? [false, true] : []) {
      const { ok: lanes } = await bothLater((side) =>
        side.planLanes({ text: JSON.stringify(plan) }, { stagingHeld }),
      );
      assert.equal(lanes.columns.length, plan.steps.length);
      assert.equal(
        lanes.columns.filter(
          ({ skipped }, at) =>
            !skipped && plan.steps[at].when?.if === (stagingHeld ? "staging-free" : "staging-held"),
        ).length,
        0,
      );
      for (const { held } of lanes.columns) {
        assert.equal(held.length, lanes.files.length);
        assert.ok(held.some(({ durable }) => durable === "v1" || durable === "copy-of-v1"));
      }
      const at = (role) =>
        lanes.columns.at(-1).held[lanes.files.findIndex((file) => file.role === role)];
      const all = [lanes.before, ...lanes.columns.map(({ held }) => held)];
      assert.ok(
        lanes.files.every((_, lane) => all.some((held) => held[lane].now !== null)),
        "a lane of a file that never exists",
      );
      assert.deepEqual([at("canonical").durable, /v1/.test(at("backup").durable)], ["v2", true]);
      columns += lanes.columns.length;
    }
  }
  assert.ok(columns > 5000, `${columns}`);
  for (const nothing of [{}, { text: "EIO" }, { files: [{ name: "data.db", size: 1 }] }])
    assert.equal((await bothLater((side) => side.planLanes(nothing))).ok, null);
  assert.equal((await bothLater((side) => side.planLanes({ more: 1 }))).name, "TypeError");
});

test("both packages judge alike what a person drops", async () => {
  const head = hex(headerBytes());
  const { ok: plan } = both((side) => side.plan(base(), request()));
  for (const dropped of [
    {},
    { text: "" },
    { text: "EPERM: operation not permitted, fsync" },
    { text: "#IO:fsync:EIO" },
    { text: JSON.stringify(plan) },
    { text: JSON.stringify(plan.journal) },
    { text: "{".repeat(100_000) },
    { files: [{ name: "data.db", size: 8192, head }] },
    {
      files: [
        { name: "data.db", size: 8192, head },
        { name: "data.db-wal", size: 0 },
      ],
      wholeFolder: true,
    },
  ]) {
    const { ok } = await bothLater((side) => side.diagnose(dropped));
    assert.ok(["safe", "not-safe", "cannot-tell"].includes(ok.safety));
  }
  assert.equal((await bothLater((side) => side.diagnose({ more: 1 }))).name, "TypeError");
});

test("both packages tell a crash alike", async () => {
  for (const line of ["nonsense", ""]) await bothLater((side) => side.replayCrash(line));
});

// The last test: it compares what those before it have asked.
test("without WebAssembly every answer is the same, to the byte", () => {
  const asked = new Map(FUNCTIONS.map((name) => [name, 0]));
  const told = native(calls.map(({ call }) => call));
  for (const [at, { call, said }] of calls.entries()) {
    assert.equal(said, told[at], call[0]);
    asked.set(call[0], asked.get(call[0]) + 1);
  }
  for (const [name, times] of asked) assert.ok(times > 0, `${name} was never asked`);
});
