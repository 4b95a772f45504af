// A v1 to upgrade, made by the sqlite3 shell: a separate process leaves no open handle in this
// process.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const scratches = [];
process.on("exit", () =>
  scratches.forEach((directory) => {
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      // A leaked connection keeps its file until this process has ended; it stays among the
      // temporary files.
      if (process.platform !== "win32") throw error;
    }
  }),
);

/** A directory that is removed when this process ends. */
export function scratch(directory) {
  scratches.push(directory);
  return directory;
}

export function shell(path, sql) {
  return execFileSync("sqlite3", [path, sql], { encoding: "utf8" }).trimEnd();
}

export const V1 =
  "PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, body); INSERT INTO notes(body) VALUES ('a'), ('b');";
export const V2 =
  "CREATE TABLE note(id INTEGER PRIMARY KEY, body); INSERT INTO note SELECT * FROM v1.notes; PRAGMA user_version=2;";

/** A directory with a v1 in it. */
export function seed(sql = V1) {
  const directory = scratch(mkdtempSync(join(tmpdir(), "cutover-node-")));
  const path = join(directory, "data.db");
  if (sql) shell(path, sql);
  return { directory, path, names: () => readdirSync(directory).sort() };
}

/** Builds v2 from a job. */
export async function build(job) {
  shell(job.staging, `ATTACH '${(await job.source()).replaceAll("'", "''")}' AS v1; ${V2}`);
}

export const options = (path, more = {}) => ({
  path,
  label: "v1-v2",
  detect: { userVersion: 2 },
  make: { from: "empty", run: { sql: V2 } },
  ...more,
});

export const made = (run, from = "empty") => ({ make: { from, run } });

/** Checks that v1 is canonical and whole, with only lock files beside it. */
export function assertUntouched({ path, names }) {
  assert.deepEqual(
    names().filter((name) => !name.endsWith("-lock")),
    ["data.db"],
  );
  assert.equal(
    shell(
      path,
      "PRAGMA user_version; SELECT group_concat(body) FROM notes; PRAGMA integrity_check",
    ),
    "1\na,b\nok",
  );
}

export function assertUpgraded({ path }) {
  assert.equal(
    shell(path, "PRAGMA user_version; SELECT group_concat(body) FROM note; PRAGMA integrity_check"),
    "2\na,b\nok",
  );
}

/**
 * Whether a process is the only holder. The Restart Manager of Wine gives every holder the id 0.
 */
export function named(holders, pid) {
  return (
    holders.length === 1 &&
    (holders[0].pid === pid || (process.platform === "win32" && holders[0].pid === 0))
  );
}

/** The error of a rejected promise. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("it was not rejected");
}
