// ECMAScript modules and CommonJS load one module, with types for both.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import * as esm from "cutover";

const require = createRequire(import.meta.url);

test("import and require load one module", () => {
  const cjs = require("cutover");
  const names = [
    "CutoverError",
    "doctor",
    "explainError",
    "inspect",
    "listBackups",
    "lock",
    "migrate",
    "plan",
    "pruneBackups",
    "recover",
    "restore",
    "runPlan",
    "validatePlan",
  ];
  assert.deepEqual(Object.keys(cjs).sort(), names);
  for (const name of names) assert.equal(esm[name], cjs[name]);
});

// The compiler is a native program of the system that installed it. Its answer depends on no
// system.
if (process.platform !== "win32")
  test("the types compile for both", () => {
    const tsc = require.resolve("typescript/package.json").replace("package.json", "bin/tsc");
    const project = fileURLToPath(new URL("types", import.meta.url));
    const { status, stdout } = spawnSync(process.execPath, [tsc, "--project", project], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
  });
