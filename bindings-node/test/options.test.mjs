// The call refuses wrong options before it touches anything. The error says which option, and what
// it must be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, lock, migrate, plan, recover, runPlan } from "cutover";
import { failure, made, options, seed } from "./support.mjs";

const WRONG = [
  [{ path: "" }, /options\.path must be a well-formed string that is not empty, not ''/],
  [{ path: undefined }, /options\.path must be/],
  [{ path: new URL("file:///x") }, /options\.path must be a well-formed string/],
  [{ path: "half \ud800 pair" }, /options\.path must be a well-formed string/],
  [{ label: "V1" }, /options\.label: .*may hold only a-z, 0-9 and '-'/],
  [{ label: "source" }, /options\.label: .*uses in file names itself/],
  [{ lable: "v1-v2" }, /options\.lable is unknown; the known members are path, label, detect/],
  [
    { detect: "old" },
    /options\.detect must be \{ stamp \}, \{ userVersion \} or a function, not 'old'/,
  ],
  [{ detect: {} }, /options\.detect must be/],
  [{ detect: { userVersion: 2, stamp: {} } }, /options\.detect must be/],
  [
    { detect: { userVersion: 2.5 } },
    /options\.detect must be \{ userVersion: a whole number from -2147483648 to 2147483647 \}/,
  ],
  [{ detect: { userVersion: 2 ** 31 } }, /options\.detect must be/],
  [
    { detect: { stamp: { table: "t", column: "c", value: 2 } } },
    /options\.detect must be \{ stamp: \{ table, column, value \}, all well-formed strings \}/,
  ],
  [{ make: undefined }, /options\.make must be an object, not undefined/],
  [
    { make: { from: "scratch", run: () => {} } },
    /options\.make\.from must be "empty" or "copy", not 'scratch'/,
  ],
  [
    { make: { from: "empty", run: { sql: 1 } } },
    /options\.make\.run must be \{ sql \} or a function/,
  ],
  ...["CREATE TABLE a(x);\0 CREATE TABLE b(x);", "\0", "SELECT '\ud800'"].map((sql) => [
    { make: { from: "empty", run: { sql } } },
    /options\.make\.run\.sql must be a well-formed string without a NUL character, not ['"]/,
  ]),
  ...["half \ud800 pair", "nul \0"].map((table) => [
    { detect: { stamp: { table, column: "c", value: "2" } } },
    /options\.detect must be \{ stamp: \{ table, column, value \}, all well-formed strings \}/,
  ]),
  [{ detect: { stamp: { table: "t", column: "c", value: "\udfff" } } }, /options\.detect must be/],
  [{ companions: { "half \ud800": "auth.json" } }, /options\.companions must be/],
  [
    { make: { from: "empty", run: { sql: "" }, how: 1 } },
    /options\.make\.how is unknown; the known members are from, run/,
  ],
  [{ verify: true }, /options\.verify must be a function, not true/],
  [{ companions: ["auth.json"] }, /options\.companions must be an object of name -> path/],
  [{ companions: { auth: "" } }, /options\.companions must be/],
  [{ companions: { "../auth": "auth.json" } }, /options\.companions: /],
  [{ undo: {} }, /options\.undo must be a function/],
  [{ cleanup: "rm" }, /options\.cleanup must be a function/],
  [{ lock: {} }, /options\.lock must be the result of lock\(\), or "held"/],
  [{ releaseHandles: 1 }, /options\.releaseHandles must be a function/],
  [{ unseen: "accept" }, /options\.unseen must be "refuse" or "proceed"/],
  [{ waitMs: -1 }, /options\.waitMs must be a whole number from 0 to/],
  [{ waitMs: Infinity }, /options\.waitMs must be/],
  [{ integrity: "none" }, /options\.integrity must be "quick" or "full", not 'none'/],
  [{ checkV1: "no" }, /options\.checkV1 must be true or false, not 'no'/],
  [{ onEvent: [] }, /options\.onEvent must be a function/],
  [{ signal: new AbortController() }, /options\.signal must be an AbortSignal/],
];

test("wrong options are refused", async () => {
  const place = seed();
  for (const [wrong, why] of WRONG) {
    for (const verb of [migrate, recover, plan, (given) => runPlan("{}", given)]) {
      const error = await failure(verb(options(place.path, wrong)));
      assert.ok(error instanceof TypeError, String(error));
      assert.match(error.message, /^cutover: /);
      assert.match(error.message, why);
    }
  }
  for (const nothing of [undefined, null, "data.db", []]) {
    assert.match((await failure(migrate(nothing))).message, /^cutover: options must be an object/);
  }
  assert.deepEqual(place.names(), ["data.db"]);
});

test("a wrong path is refused", async () => {
  for (const verb of [lock, inspect]) {
    const error = await failure(verb(7));
    assert.ok(error instanceof TypeError);
    assert.match(
      error.message,
      /^cutover: path must be a well-formed string that is not empty, not 7$/,
    );
  }
});

test("an undefined option is a missing option", async () => {
  const place = seed();
  const missing = Object.fromEntries(
    [
      "verify",
      "companions",
      "undo",
      "cleanup",
      "lock",
      "releaseHandles",
      "held",
      "unseen",
      "waitMs",
      "integrity",
      "checkV1",
      "onEvent",
      "signal",
    ].map((name) => [name, undefined]),
  );
  assert.equal((await migrate(options(place.path, missing))).outcome, "migrated");
});
