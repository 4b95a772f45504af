// The README's example, from the packages alone, in every runtime that runs on this machine. CUTOVER_RUNTIMES says which there are and how each is started.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PLATFORMS } from "../../bindings-node/platforms.mjs";
import { install, packed, seeded } from "./support.mjs";

const runtimes = JSON.parse(process.env.CUTOVER_RUNTIMES);
const sample = packed("cutover", "README.md").toString().split("```ts\n")[1].split("```")[0];
const shell = (path, sql) => execFileSync("sqlite3", [path, sql], { encoding: "utf8" }).trim();
const installed = new Map();

for (const { platform, name, command, env = {}, windows } of runtimes) {
  test(`the README's example runs on ${platform} in ${name}`, () => {
    if (!installed.has(platform)) installed.set(platform, install(PLATFORMS[platform]));
    const place = installed.get(platform);
    const path = seeded();
    const there = (file) => (windows ? `Z:${file.replaceAll("/", "\\")}` : file);
    const program = join(place, "app.mjs");
    writeFileSync(program, `${sample.replace('"/home/me/.app/data.db"', JSON.stringify(there(path)))}\nconsole.log(process.platform, process.arch, process.versions.bun ?? process.versions.node);\n`);
    const [file, ...args] = command;
    const { stdout, stderr, error } = spawnSync(file, [...args, there(program)], { cwd: place, encoding: "utf8", env: { ...process.env, ...env } });
    const [os, cpu] = platform.split("-");
    assert.match(stdout, new RegExp(`^Migrated local data to v2; moved old DB to [^]*data\\.db\\.v1-v2-\\d+-[0-9a-f]{8}\\r?\\n${os} ${cpu} [\\d.]+\\r?\\n$`), error?.message ?? stderr);
    assert.equal(shell(path, "SELECT group_concat(body) FROM note; PRAGMA user_version; PRAGMA integrity_check;"), "milk,bread\n2\nok");
  });
}
