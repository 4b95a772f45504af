// Runs the command line in a process of its own, as a person does.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
export const cli = join(require.resolve("cutover"), "../cli/main.js");
export const app = fileURLToPath(new URL("cli-app.mjs", import.meta.url));

function start(program, args, { env = {}, ...more } = {}) {
  const temporary = mkdtempSync(join(tmpdir(), "cutover-cli-"));
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    env: { ...process.env, TMPDIR: temporary, ...env },
    ...more,
  });
  assert.deepEqual(readdirSync(temporary), []);
  rmdirSync(temporary);
  // Under Wine Bun says this of itself, on every start.
  const own = stderr?.replaceAll(/^Internal error: directory mismatch .*\r?\n/gm, "");
  return { status, signal, stdout, stderr: own };
}

/** `npx cutover`. */
export const run = (...args) => start(cli, args);
/** `npx cutover` with options of the process. */
export const runWith = (options, ...args) => start(cli, args, options);
/** The command line of an application. */
export const myapp = (path, env, ...args) => start(app, [path, ...args], { env });

/** The name, content and time of change of every file in a directory. */
export const all = ({ directory }) =>
  readdirSync(directory)
    .sort()
    .map((name) => [
      name,
      statSync(join(directory, name)).mtimeMs,
      readFileSync(join(directory, name), "hex"),
    ]);
