// The table of cases: directories after real runs, real damage and real mishaps, and messages of
// real programs. Each has one answer, written by hand. `less` names who may know less of it, and
// then says `cannot-tell`: a bundle has no pages and only its own database.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { listBackups, lock, migrate, restore } from "cutover";
import {
  betweenRenames,
  doctor,
  killedUpgrade,
  killedWriter,
  options,
  overwrite,
  seed,
  shell,
  upgraded,
  V1,
} from "../examples/scenes.mjs";

const INSERT = "INSERT INTO note(body) VALUES ('later')";
const beside = (path, name) => join(dirname(path), name);
const only = (path, part) =>
  beside(path, readdirSync(dirname(path)).find((name) => name.includes(part)));
const MANY = `${V1} INSERT INTO notes(body) SELECT hex(randomblob(40)) FROM notes, (SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4);`;

/** A v2 in WAL mode with a log, as a killed application leaves it. */
async function used() {
  const path = await upgraded();
  shell(path, "PRAGMA journal_mode=WAL;", INSERT);
  killedWriter(path, INSERT);
  return path;
}
/** Leaves a hot rollback journal. */
function killedInside(path) {
  const { signal } = spawnSync("sqlite3", [
    path,
    "PRAGMA cache_size=1; BEGIN; UPDATE notes SET body = 'changed';",
    ".shell kill -9 $PPID",
  ]);
  assert.equal(signal, "SIGKILL");
  assert.ok(statSync(`${path}-journal`).size > 512);
}
async function withCompanion() {
  const path = seed();
  const auth = beside(path, "auth.json");
  writeFileSync(auth, '{"token":1}');
  const run = async (job) => {
    const v2 = job.staging;
    shell(v2, `ATTACH '${await job.source()}' AS v1; CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO note SELECT * FROM v1.notes; PRAGMA user_version=2;`);
    await job.companion("auth").write('{"token":2}');
  };
  await migrate({ ...options(path, { from: "empty", run }), companions: { auth } });
  return path;
}
async function restored() {
  const path = await upgraded();
  const [{ name }] = await listBackups(path);
  await restore(path, beside(path, name));
  return path;
}

/** Each makes a directory, and gives the path of its database. */
export const folders = [
  // The data is safe.
  ["v1 at rest", "safe", () => seed()],
  ["v1 at rest in WAL mode", "safe", () => seed(`PRAGMA journal_mode=WAL; ${V1}`)],
  ["v1 with small pages", "safe", () => seed(`PRAGMA page_size=512; ${V1}`)],
  ["v1 with large pages", "safe", () => seed(`PRAGMA page_size=65536; ${V1}`)],
  ["v1 with auto-vacuum", "safe", () => seed(`PRAGMA auto_vacuum=FULL; ${V1}`)],
  [
    "v1 with a full-text index",
    "safe",
    () => seed(`${V1} CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f SELECT body FROM notes;`),
  ],
  [
    "v1 with many free pages",
    "safe",
    () => {
      const path = seed(MANY);
      shell(path, "DELETE FROM notes WHERE id > 200");
      return path;
    },
  ],
  [
    "committed rows in the log",
    "safe",
    () => {
      const path = seed();
      killedWriter(path);
      return path;
    },
  ],
  [
    "killed inside of a transaction",
    "safe",
    () => {
      const path = seed(MANY);
      killedInside(path);
      return path;
    },
  ],
  ["upgraded", "safe", () => upgraded()],
  [
    "upgraded and used",
    "safe",
    async () => {
      const path = await upgraded();
      shell(path, INSERT);
      return path;
    },
  ],
  [
    "upgraded and used in WAL mode",
    "safe",
    async () => {
      const path = await upgraded();
      shell(path, "PRAGMA journal_mode=WAL;", INSERT);
      return path;
    },
  ],
  ["upgraded and killed with a log", "safe", () => used()],
  [
    "upgraded from WAL mode",
    "safe",
    async () => {
      const path = seed(`PRAGMA journal_mode=WAL; ${V1}`);
      await migrate(options(path));
      return path;
    },
  ],
  [
    "killed while v2 was built",
    "safe",
    () => {
      const path = seed();
      killedUpgrade(path);
      return path;
    },
  ],
  ["a companion in its place", "safe", () => withCompanion()],
  ["restored", "safe", () => restored()],
  [
    "restored and used",
    "safe",
    async () => {
      const path = await restored();
      shell(path, "INSERT INTO notes(body) VALUES ('again')");
      return path;
    },
  ],
  [
    "a damaged journal beside v1 alone",
    "safe",
    () => {
      const path = seed();
      writeFileSync(`${path}.v1-v2-cutover.json`, "{");
      return path;
    },
  ],
  [
    "unrelated files and folders",
    "safe",
    () => {
      const path = seed();
      writeFileSync(beside(path, "notes.txt"), "buy milk");
      mkdirSync(beside(path, "Cache/a/b"), { recursive: true });
      writeFileSync(beside(path, "Cache/a/b/x.bin"), Buffer.alloc(3000, 7));
      return path;
    },
  ],
  [
    "two sound databases",
    "safe",
    () => {
      const path = seed();
      shell(beside(path, "history.db"), V1);
      return path;
    },
  ],

  // The data is not safe.
  [
    "pages are overwritten",
    "not-safe",
    () => {
      const path = seed(MANY);
      overwrite(path, 4096 + 40, "x".repeat(9000));
      return path;
    },
  ],
  [
    "zero-filled pages behind a good header",
    "not-safe",
    () => {
      const path = seed(MANY);
      overwrite(path, 4096 * 3, "\0".repeat(4096 * 4));
      return path;
    },
  ],
  [
    "zero-filled pages of v2",
    "not-safe",
    async () => {
      const path = await upgraded();
      overwrite(path, 4096, "\0".repeat(statSync(path).size - 4096));
      return path;
    },
  ],
  [
    "one byte of a page is wrong",
    "not-safe",
    () => {
      const path = seed(MANY);
      overwrite(path, 4096 * 4, "\x7f");
      return path;
    },
  ],
  [
    "a web page replaced it",
    "not-safe",
    () => {
      const path = seed();
      writeFileSync(path, "<html><body>503 Service Unavailable</body></html>\n".repeat(200));
      return path;
    },
  ],
  [
    "only zeros",
    "not-safe",
    () => {
      const path = seed();
      writeFileSync(path, Buffer.alloc(statSync(path).size));
      return path;
    },
  ],
  [
    "an archive replaced v2",
    "not-safe",
    async () => {
      const path = await upgraded();
      writeFileSync(path, Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(5000, 3)]));
      return path;
    },
  ],
  [
    "a person removed data.db",
    "not-safe",
    async () => {
      const path = await upgraded();
      rmSync(path);
      return path;
    },
  ],
  [
    "only the log is left",
    "not-safe",
    () => {
      const path = seed();
      killedWriter(path);
      rmSync(path);
      return path;
    },
  ],
  [
    "v1 is cut short",
    "not-safe",
    () => {
      const path = seed(MANY);
      truncateSync(path, statSync(path).size - 4096 * 3);
      return path;
    },
  ],
  [
    "v2 is cut short inside of a page",
    "not-safe",
    async () => {
      const path = await upgraded();
      truncateSync(path, statSync(path).size - 1000);
      return path;
    },
  ],
  [
    "a database in WAL mode is cut short and has no log",
    "not-safe",
    () => {
      const path = seed(`PRAGMA journal_mode=WAL; ${MANY}`);
      truncateSync(path, statSync(path).size - 4096 * 3);
      return path;
    },
  ],
  [
    "the -wal of v2 is gone and its -shm is there",
    "not-safe",
    async () => {
      const path = await used();
      rmSync(`${path}-wal`);
      return path;
    },
  ],
  [
    "the -wal of v1 is empty and its -shm is not",
    "not-safe",
    () => {
      const path = seed();
      killedWriter(path);
      truncateSync(`${path}-wal`, 0);
      return path;
    },
  ],
  [
    "the -wal is cut short",
    "not-safe",
    () => {
      const path = seed(`PRAGMA journal_mode=WAL; ${V1}`);
      killedWriter(path, "UPDATE notes SET body = 'changed'; INSERT INTO notes(body) VALUES (1);");
      truncateSync(`${path}-wal`, statSync(`${path}-wal`).size - 4000);
      return path;
    },
  ],
  [
    "the header of the -wal is damaged",
    "not-safe",
    () => {
      const path = seed();
      killedWriter(path);
      overwrite(`${path}-wal`, 4, "xxxxxxxx");
      return path;
    },
  ],
  [
    "the -wal of v1 beside v2",
    "not-safe",
    async () => {
      const path = seed();
      killedWriter(path, "INSERT INTO notes(body) SELECT hex(randomblob(100)) FROM notes;");
      copyFileSync(`${path}-wal`, `${path}-kept`);
      await migrate(options(path));
      renameSync(`${path}-kept`, `${path}-wal`);
      return path;
    },
  ],
  [
    "the -wal of another database beside v2 in WAL mode",
    "not-safe",
    async () => {
      const path = await upgraded();
      shell(path, "PRAGMA journal_mode=WAL;", INSERT);
      const other = seed("PRAGMA page_size=1024; CREATE TABLE notes(id INTEGER PRIMARY KEY, body)");
      killedWriter(other);
      copyFileSync(`${other}-wal`, `${path}-wal`);
      return path;
    },
  ],
  [
    "a person copied the backup over v2",
    "not-safe",
    async () => {
      const path = await upgraded();
      shell(path, INSERT);
      const [{ name }] = await listBackups(path);
      copyFileSync(beside(path, name), path);
      return path;
    },
  ],
  [
    "a program made a new, empty database in the place of v2",
    "not-safe",
    async () => {
      const path = await upgraded();
      rmSync(path);
      shell(path, "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT); PRAGMA user_version=2;");
      return path;
    },
  ],
  [
    "a companion is gone and its backup is there",
    "not-safe",
    async () => {
      const path = await withCompanion();
      unlinkSync(beside(path, "auth.json"));
      return path;
    },
  ],
  [
    "of two databases one is damaged",
    "not-safe",
    () => {
      const path = seed(MANY);
      overwrite(path, 4096 * 3, "\0".repeat(4096 * 4));
      shell(beside(path, "history.db"), V1);
      return path;
    },
  ],
  [
    "a damaged database in a subfolder",
    "not-safe",
    () => {
      const path = beside(seed(), "profile/data.db");
      mkdirSync(dirname(path));
      shell(path, MANY);
      overwrite(path, 4096 * 3, "\0".repeat(4096 * 4));
      return { path, folder: join(dirname(path), "..") };
    },
  ],

  // It cannot be told.
  [
    "a -wal beside v2 that may be that of v1",
    "cannot-tell",
    async () => {
      const path = seed();
      killedWriter(path);
      copyFileSync(`${path}-wal`, `${path}-kept`);
      await migrate(options(path));
      renameSync(`${path}-kept`, `${path}-wal`);
      return path;
    },
  ],
  ["between two renames", "cannot-tell", () => betweenRenames()],
  ["an empty folder", "cannot-tell", () => seed(null)],
  [
    "an empty file alone",
    "cannot-tell",
    () => {
      const path = seed(null);
      writeFileSync(path, "");
      return path;
    },
  ],
  [
    "a log of the application alone",
    "cannot-tell",
    () => {
      const path = seed(null);
      writeFileSync(beside(path, "app.log"), "12:00 started\n12:01 ENOSPC: no space left, write\n");
      return path;
    },
  ],
  ["a database without a row", "cannot-tell", () => seed("CREATE TABLE notes(id, body)")],
  [
    "v2 with a few rows of many",
    "cannot-tell",
    async () => {
      const path = seed(MANY);
      await migrate(options(path));
      shell(path, "DELETE FROM note WHERE id > 3; VACUUM;");
      return path;
    },
  ],
  [
    "a damaged journal, and a backup beside",
    "cannot-tell",
    async () => {
      const path = await upgraded();
      shell(path, INSERT);
      rmSync(only(path, "json"));
      writeFileSync(`${path}.v1-v2-cutover.json`, "{");
      return path;
    },
  ],
  [
    "a new database while v1 was between two renames",
    "cannot-tell",
    async () => {
      const path = await betweenRenames();
      shell(path, V1);
      return path;
    },
  ],
  [
    "a collation of the application's own",
    "cannot-tell",
    () => {
      const path = seed();
      shell(
        path,
        "CREATE TABLE own(a TEXT); CREATE INDEX by_a ON own(a); INSERT INTO own VALUES ('x'); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE INDEX by_a ON own(a COLLATE mine)' WHERE name='by_a';",
      );
      return path;
    },
  ],
  [
    "a table that only another SQLite reads",
    "cannot-tell",
    () => {
      const path = seed();
      shell(
        path,
        "CREATE TABLE own(a TEXT); PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE own(a) RANDOM ROWID' WHERE name='own';",
      );
      return path;
    },
  ],
].map(([name, answer, make, less]) => ({ name, answer, make, less }));

const cli = join(createRequire(import.meta.url).resolve("cutover"), "../cli/main.js");
const here = fileURLToPath(new URL(".", import.meta.url));
/** What a program prints when it fails. */
function said(program, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    cwd: here,
    ...options,
  });
  assert.notEqual(status, 0, `${program} ${args}`);
  return `${stdout}${stderr}`;
}
const node = (code, options) => said(process.execPath, ["--input-type=module", "-e", code], options);
const quoted = (path) => JSON.stringify(path);
const damaged = () => {
  const path = seed(MANY);
  overwrite(path, 4096 * 2, "x".repeat(9000));
  return path;
};
const upgrade = (path) =>
  `import { migrate } from "cutover"; await migrate({ path: ${quoted(path)}, label: "v1-v2", detect: { userVersion: 2 }, make: { from: "empty", run: { sql: "SELECT 1" } } });`;
async function heldBy(take, ask) {
  const path = seed();
  const owner = await take(path);
  try {
    return ask(path);
  } finally {
    owner.release();
  }
}

/** Each makes a text that a person pastes. */
export const texts = [
  // The data is not safe.
  ["sqlite3: a damaged page", "not-safe", () => said("sqlite3", [damaged(), "SELECT sum(length(body)) FROM notes"])],
  [
    "sqlite3: no database",
    "not-safe",
    () => {
      const path = seed(null);
      writeFileSync(path, "no database at all, but a text that is long enough for SQLite to read it".repeat(20));
      return said("sqlite3", [path, "SELECT * FROM notes"]);
    },
  ],
  [
    "Python: a damaged page",
    "not-safe",
    () => said("python3", ["-c", `import sqlite3; sqlite3.connect(${quoted(damaged())}).execute("SELECT sum(length(body)) FROM notes").fetchall()`]),
  ],
  ["cutover: v1 is damaged", "not-safe", () => node(upgrade(damaged()))],
  [
    "cutover: no database",
    "not-safe",
    () => {
      const path = seed(null);
      writeFileSync(path, "something else".repeat(900));
      return node(upgrade(path));
    },
  ],
  // It cannot be told.
  ["Node: a full disk", "cannot-tell", () => node(`import { writeFileSync } from "node:fs"; writeFileSync("/dev/full", "x");`)],
  ["Node: a folder is no file", "cannot-tell", () => node(`import { readFileSync } from "node:fs"; readFileSync("/");`)],
  ["Node: not found", "cannot-tell", () => node(`import { readFileSync } from "node:fs"; readFileSync("/nowhere/data.db");`)],
  ["Python: a full disk", "cannot-tell", () => said("python3", ["-c", `f = open("/dev/full", "w", buffering=1); f.write("x\\n")`])],
  ["sqlite3: it cannot be opened", "cannot-tell", () => said("sqlite3", ["/nowhere/at/all/data.db", "SELECT 1"])],
  ["sqlite3: a constraint", "cannot-tell", () => said("sqlite3", [seed(), "INSERT INTO notes(id) VALUES (1)"])],
  [
    "sqlite3: it is locked",
    "cannot-tell",
    () => {
      const path = seed();
      return said("sqlite3", [path, "BEGIN EXCLUSIVE;", `.shell sqlite3 ${path} 'SELECT * FROM notes' 2>&1`, "SELECT * FROM none"]);
    },
  ],
  [
    "cutover: the application runs already",
    "cannot-tell",
    () => heldBy(lock, (path) => node(upgrade(path))),
  ],
  ["cutover: v2 still looks like v1", "cannot-tell", () => node(upgrade(seed()))],
  [
    "cutover: no addon",
    "cannot-tell",
    () => node(upgrade(seed()), { env: { ...process.env, CUTOVER_NATIVE_PATH: "/nowhere/x.node" } }),
  ],
  ["status: no such folder", "cannot-tell", () => said(process.execPath, [cli, "status", "/nowhere/at/all/data.db"])],
  [
    "a bundle that a mail cut short",
    "cannot-tell",
    async () => `Hello,\n\n${doctor(await upgraded()).slice(0, -300)}\n-- \nAnn`,
  ],
  [
    "an older bundle of damage, and a newer one of a sound database",
    "not-safe",
    async () => {
      const path = seed(MANY);
      const bytes = readFileSync(path);
      overwrite(path, 4096 * 3, "\0".repeat(4096 * 4));
      const bad = doctor(path);
      writeFileSync(path, bytes);
      return `${bad}\n${doctor(path)}`;
    },
  ],
  [
    "a bundle with a log before it",
    "safe",
    async () => `12:01 ERROR EBUSY: resource busy or locked, rename 'data.db'\n${doctor(await upgraded())}`,
  ],
  [
    "a bundle in a quoted mail",
    "safe",
    async () => `On Monday Ann wrote:\n${doctor(await upgraded()).replace(/^/gm, "> ")}\nThanks!`,
  ],
].map(([name, answer, make]) => ({ name, answer, make }));
