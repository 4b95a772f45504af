// Directories as real runs and real programs leave them, for the examples and the tests.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { migrate } from "cutover";

const cli = join(createRequire(import.meta.url).resolve("cutover"), "../cli/main.js");
export const home = mkdtempSync(join(tmpdir(), "cutover-examples-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));

export const V1 =
  "PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT); WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i<400) INSERT INTO notes(body) SELECT 'note number ' || i FROM n;";
export const V2 =
  "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO note SELECT * FROM v1.notes; PRAGMA user_version=2;";
export const shell = (path, ...sql) => execFileSync("sqlite3", [path, ...sql], { encoding: "utf8" });

let places = 0;
/** A directory with a v1. */
export function seed(sql = V1) {
  const directory = mkdtempSync(join(home, "app-"));
  renameSync(directory, join(home, `app${(places += 1)}`));
  const path = join(home, `app${places}`, "data.db");
  if (sql) shell(path, sql);
  return path;
}
/** Leaves a log with committed rows, as a killed program does. */
export function killedWriter(path, insert = "INSERT INTO notes(body) VALUES ('just now')") {
  const { signal } = spawnSync("sqlite3", [
    path,
    "PRAGMA journal_mode=WAL;",
    ".shell true",
    insert,
    ".shell kill -9 $PPID",
  ]);
  assert.equal(signal, "SIGKILL");
  assert.ok(statSync(`${path}-wal`).size > 0);
}
export const options = (path, make = { from: "empty", run: { sql: V2 } }) => ({
  path,
  label: "v1-v2",
  detect: { userVersion: 2 },
  make,
});
export async function upgraded() {
  const path = seed();
  await migrate(options(path));
  return path;
}
/** Starts an upgrade and kills it while the application builds v2. */
export function killedUpgrade(path) {
  const code = `import { migrate } from "cutover";
    await migrate({ path: ${JSON.stringify(path)}, label: "v1-v2", detect: { userVersion: 2 }, make: { from: "empty", run: () => process.kill(process.pid, "SIGKILL") } });`;
  const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  assert.equal(signal, "SIGKILL", stderr);
}
export const doctor = (path) =>
  spawnSync(process.execPath, [cli, "doctor", path], {
    encoding: "utf8",
    env: { ...process.env, HOME: home },
  }).stdout;
export const bundle = (path) => ({ text: doctor(path) });
export function overwrite(path, at, text) {
  const file = openSync(path, "r+");
  const bytes = Buffer.from(text, "latin1");
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}
/** The state that a release without cutover leaves between its two renames. */
export async function betweenRenames() {
  const path = seed();
  const [backup, staging] = ["v1-v2-1782718800000-0f0f0f0f", "building-0f0f0f0f"].map(
    (suffix) => `${path}.${suffix}`,
  );
  shell(staging, `ATTACH '${path}' AS v1; ${V2}`);
  renameSync(path, backup);
  const journal = {
    version: 1,
    source: path,
    normalizedSource: `${path}.source-0f0f0f0f`,
    staging,
    backup,
    authPath: join(path, "../auth.json"),
    authBackup: null,
    authExisted: false,
    nonce: "0f0f0f0f",
    phase: "built",
  };
  writeFileSync(`${path}.v1-v2-migration.json`, JSON.stringify(journal));
  return path;
}

