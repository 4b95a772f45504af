// Schemas that stock SQLite cannot read. The upgrade still settles and copies v1, and `verify` of
// the application checks v2.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { program, RUNTIMES, scratch, type Runtime } from "../corpus/corpus.js";

function run(runtime: Runtime, path: string, what: string): unknown {
  const { stdout, stderr } = spawnSync(
    RUNTIMES[runtime],
    [program("node/vectors.js"), path, what],
    { encoding: "utf8" },
  );
  // The program kills itself and prints nothing.
  if (what === "seed") return null;
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

function seeded(): string {
  const path = join(scratch(), "data.db");
  run("node", path, "seed");
  assert.ok(existsSync(path));
  return path;
}

for (const runtime of ["node", "bun"] as const) {
  test(`${runtime}: a v1 with a vector index and random row ids is upgraded, and libSQL reads v2 and the backup`, () => {
    const path = seeded();
    const { outcome, warnings, backup } = run(runtime, path, "verified") as {
      outcome: string;
      warnings: string[];
      backup: string;
    };
    assert.equal(outcome, "migrated");
    assert.match(warnings.join(), /stock SQLite checked of v2 only what it can read/);
    assert.deepEqual(run("node", path, "count"), ["bread", 2]);
    assert.deepEqual(run("node", backup, "count"), ["bread", 2]);
  });
}

test("without `verify` no check of v2 is possible, so v1 stays", () => {
  const path = seeded();
  const { code, message } = run("node", path, "upgrade") as { code: string; message: string };
  assert.equal(code, "VERIFY");
  assert.match(message, /your own `verify` has to check it/);
  assert.deepEqual(run("node", path, "count"), ["bread", 2]);
  assert.deepEqual(
    readdirSync(dirname(path)).filter(
      (name) => name.includes("v1-v2") || name.includes("building"),
    ),
    [],
  );
});
