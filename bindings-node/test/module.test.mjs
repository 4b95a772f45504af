// ECMAScript modules and CommonJS load one module, with types for both.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import * as esm from "cutover";
import * as cli from "cutover/cli";
import * as testing from "cutover/testing";

const require = createRequire(import.meta.url);

test("import and require load one module", () => {
  const cjs = require("cutover");
  const names = [
    "CutoverError",
    "adoptBackup",
    "doctor",
    "explainError",
    "inspect",
    "listBackups",
    "lock",
    "migrate",
    "plan",
    "planRestore",
    "pruneBackups",
    "recover",
    "restore",
    "runPlan",
    "validatePlan",
  ];
  assert.deepEqual(Object.keys(cjs).sort(), names);
  for (const name of names) assert.equal(esm[name], cjs[name]);
});

test("cutover/testing is one module too", () => {
  const cjs = require("cutover/testing");
  assert.deepEqual(Object.keys(cjs).sort(), ["pauseAt", "sweep"]);
  assert.equal(testing.sweep, cjs.sweep);
});

test("cutover/cli is one module too", () => {
  const cjs = require("cutover/cli");
  assert.deepEqual(Object.keys(cjs).sort(), ["exitCodes", "main"]);
  assert.equal(cli.main, cjs.main);
});

// A Node of the day pretends, so the test shows that the check comes first, not what Node 18 lacks.
test("a Node that is too old is refused in one sentence, before anything else is loaded", () => {
  const old = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.8" } });
    require("node:module").prototype.require = new Proxy(require("node:module").prototype.require, {
      apply: (load, self, [id]) => (id.startsWith("node:") || id.endsWith(".node") ? process.exit(9) : Reflect.apply(load, self, [id])),
    });`;
  for (const entry of ["index.js", "pure.js", "cli.js", "cli/main.js", "testing.js", "platforms/win32-x64.js"]) {
    const file = join(require.resolve("cutover"), "..", entry);
    const load = `${old} try { require(${JSON.stringify(file)}); } catch (error) { console.log(error.message); }`;
    const { status, stdout } = spawnSync(process.execPath, ["-e", load], { encoding: "utf8" });
    assert.deepEqual(
      [status, stdout],
      [0, "cutover needs Node 20 or newer, or Bun; this is Node 18.20.8\n"],
    );
  }
});

// `node:crypto` alone takes longer to load than everything else together.
test("an import loads one file beside the entry, and no module that is slow to load", () => {
  const tell = `const loaded = [];
    require("node:module").prototype.require = new Proxy(require("node:module").prototype.require, {
      apply: (load, self, [id]) => (loaded.push(id), Reflect.apply(load, self, [id])),
    });
    require(${JSON.stringify(require.resolve("cutover"))});
    console.log(loaded.join());`;
  const { stdout } = spawnSync(process.execPath, ["-e", tell], { encoding: "utf8" });
  const [entry, shared, ...builtin] = stdout.trim().split(",");
  assert.deepEqual([entry, shared], [require.resolve("cutover"), "./shared.js"]);
  assert.deepEqual(builtin.toSorted(), [
    "node:buffer",
    "node:fs",
    "node:module",
    "node:path",
    "node:util",
    "node:util/types",
  ]);
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
