// The same tests on Bun.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const bun = createRequire(import.meta.url).resolve("bun/bin/bun.exe");
const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".test.mjs") && name !== "bun.test.mjs");

test(`${files.length} files pass on Bun`, () => {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const { status, stderr } = spawnSync(bun, ["test", ...files.map((name) => `./${name}`)], { cwd, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.match(stderr, new RegExp(`\\n 0 fail\\n(?:.*\\n)?Ran \\d+ tests across ${files.length} files`));
});
