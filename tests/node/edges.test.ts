// Edge cases through the addon: a database that is not v1, open handles, file systems, and failures
// of the application itself.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Case } from "../campaign/upgrade.js";
import { differences, facts, shell } from "../corpus/compare.js";
import { copySet, corpus, onWindows, scratch, seed } from "../corpus/corpus.js";
import { app } from "./app-run.js";

/** Every file of a directory with the digest of its bytes, without the locks and -shm. */
function snapshot(database: string): Record<string, string> {
  const names = readdirSync(dirname(database)).filter(
    (name) => !/-lock(-journal)?$|-shm$/.test(name),
  );
  const digest = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(dirname(database), name)))
      .digest("base64");
  return Object.fromEntries(names.map((name) => [name, digest(name)]));
}

const fresh = (mode: "wal" | "delete" = "delete") => new Case(seed("rusqlite", mode), "sql").copy();

test("without a database the upgrade does nothing, and makes no file", () => {
  const database = join(scratch(), "data.db");
  assert.equal(app("node", database, "sql").result.outcome, "no-database");
  assert.deepEqual(snapshot(database), {});
});

test("a file of 0 bytes counts as no database", () => {
  const database = join(scratch(), "data.db");
  writeFileSync(database, "");
  assert.equal(app("node", database, "sql").result.outcome, "no-database");
  assert.deepEqual(Object.keys(snapshot(database)), ["data.db"]);
  assert.equal(statSync(database).size, 0);
});

test("an empty file beside a -wal with rows is refused, because SQLite would delete the rows", () => {
  const database = seed("libsql", "wal");
  writeFileSync(database, "");
  const before = snapshot(database);
  assert.equal(app("node", database, "sql").error.code, "V1_CORRUPT");
  assert.deepEqual(snapshot(database), before);
});

test("a file that is not a database is refused and stays as it is", () => {
  const database = join(scratch(), "data.db");
  writeFileSync(database, "this is a letter, not a database. ".repeat(100));
  const before = snapshot(database);
  const { error } = app("node", database, "sql");
  assert.equal(error.code, "NOT_A_DATABASE");
  assert.match(error.message, /\[cutover:NOT_A_DATABASE\b.*\]$/);
  assert.deepEqual(snapshot(database), before);
});

test("a v2 stays as it is, byte for byte", () => {
  const database = fresh("wal");
  app("node", database, "sql");
  const before = snapshot(database);
  const { result } = app("node", database, "sql");
  assert.deepEqual(
    [result.outcome, result.recovery, result.backup, result.strategy, result.warnings],
    ["current", "none", null, null, []],
  );
  assert.deepEqual(snapshot(database), before);
});

test("a newer database is refused before the upgrade touches anything", () => {
  const database = fresh();
  const before = snapshot(database);
  const { error } = app("node", database, "sql", { detect: { userVersion: 6 } });
  assert.equal(error.code, "NEWER");
  assert.deepEqual(snapshot(database), before);
});

test("detect works by user_version and by a function", () => {
  const byVersion = fresh();
  const sql = `${corpus("v2-copy.sql")} PRAGMA user_version = 8;`;
  assert.equal(
    app("node", byVersion, "sql-copy", { detect: { userVersion: 8 }, sql }).result.outcome,
    "migrated",
  );
  assert.equal(
    app("bun", byVersion, "sql-copy", { detect: { userVersion: 8 }, sql }).result.outcome,
    "current",
  );
  const byFunction = fresh();
  assert.equal(app("bun", byFunction, "sql", { detect: "function" }).result.outcome, "migrated");
  assert.equal(app("node", byFunction, "sql", { detect: "function" }).result.outcome, "current");
});

test("the upgrade does not install a v2 that detect takes for v1", () => {
  const database = fresh();
  const before = facts(database);
  assert.equal(
    app("node", database, "sql", { detect: { userVersion: 8 } }).error.code,
    "STILL_OLD",
  );
  assert.deepEqual(differences(before, facts(database)), []);
  assert.deepEqual(Object.keys(snapshot(database)).sort(), ["auth.json", "data.db"]);
});

test("a dangling foreign key of v1 is a warning; a new one in v2 refuses v2", () => {
  const already = fresh();
  shell(already, "PRAGMA foreign_keys = OFF; UPDATE notes SET author = 404 WHERE id = 1;");
  const { result } = app("node", already, "sql-copy");
  assert.equal(result.outcome, "migrated");
  assert.match(result.warnings.map(({ message }) => message).join(), /1 row of notes .*authors/);
  const added = fresh();
  const { error } = app("node", added, "sql-copy", {
    sql: `${corpus("v2-copy.sql")} UPDATE notes SET author = 404 WHERE id = 1;`,
  });
  assert.equal(error.code, "VERIFY");
});

test("the result and the receipt have the report and the warnings", () => {
  const upgrade = new Case(seed("libsql", "wal"), "host");
  const database = upgrade.copy();
  const { result } = app("node", database, "host");
  assert.deepEqual(result.report, { notes: 7, v1: [{ n: 7 }] });
  assert.deepEqual(result.warnings, [
    { from: "host", code: null, message: "the application has something to say" },
  ]);
  const receipt = JSON.parse(readFileSync(`${result.backup}.json`, "utf8")) as Record<
    string,
    unknown
  >;
  assert.deepEqual(
    [receipt.report, receipt.warnings, receipt.label],
    [result.report, result.warnings, "v1-v2"],
  );
  assert.ok(!("hostState" in receipt));
});

test("the upgrade checks the row counts that the build expects", () => {
  const { error } = app("node", new Case(seed("libsql", "wal"), "host").copy(), "host", {
    expect: { people: 99 },
  });
  assert.equal(error.code, "VERIFY");
  assert.match(error.message, /table people has \d+ rows; 99 were expected/);
});

// Windows has access rules instead (runner/tests/it/windows.rs), and needs a privilege for a
// symbolic link.
const posix = onWindows ? () => undefined : test;

posix("[21] the mode of v1 carries over to v2, to the backup and to the receipt", () => {
  for (const mode of [0o600, 0o640]) {
    const database = fresh("wal");
    chmodSync(database, mode);
    const { result } = app("node", database, "sql");
    const of = (path: string) => statSync(path).mode & 0o777;
    assert.deepEqual(
      [of(database), of(result.backup ?? ""), of(`${result.backup}.json`)],
      [mode, mode, mode],
    );
  }
});

posix(
  "[22] a symbolic link to the database stays one, and v2 takes the place of the real file",
  () => {
    const upgrade = new Case(seed("rusqlite", "wal"), "sql");
    const real = upgrade.copy();
    const link = join(scratch(), "app.db");
    symlinkSync(real, link);
    const { result } = app("node", link, "sql");
    assert.equal(dirname(result.backup ?? ""), dirname(real));
    upgrade.assertOver(real);
    assert.equal(readlinkSync(link), real);
    assert.deepEqual(readdirSync(dirname(link)), ["app.db"]);
  },
);

posix("a symbolic link to the directory stays one", () => {
  const upgrade = new Case(seed("rusqlite", "wal"), "sql");
  const real = upgrade.copy();
  const link = join(scratch(), "data");
  symlinkSync(dirname(real), link);
  assert.equal(app("node", join(link, "data.db"), "sql").result.outcome, "migrated");
  upgrade.assertOver(real);
  assert.ok(lstatSync(link).isSymbolicLink());
});

test("a directory with a name that a URI of SQLite would misread", () => {
  const upgrade = new Case(seed("rusqlite", "wal"), "sql");
  const directory = join(scratch(), onWindows ? "a b#c%41&d'é☃" : "a ?b#c%41&d'é☃");
  mkdirSync(directory);
  const database = upgrade.copy();
  renameSync(dirname(database), join(directory, "x"));
  assert.equal(app("bun", join(directory, "x", "data.db"), "sql").result.outcome, "migrated");
  upgrade.assertOver(join(directory, "x", "data.db"));
});

test("a second taker of the owner lock is refused, in this process and in another", async () => {
  const database = fresh();
  const before = snapshot(database);
  assert.equal(app("node", database, "sql", { lock: 2 }).error.code, "OWNED");
  // The caller holds `lock` and does not pass it, so migrate is a second taker.
  assert.equal(app("node", database, "sql", { lock: 1 }).error.code, "OWNED");
  // The legacy daemon locks with BEGIN EXCLUSIVE in the lock file, through another SQLite.
  const legacy = spawn("sqlite3", [`${database}.owner-lock`], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  legacy.stdin.write("BEGIN EXCLUSIVE; SELECT 'held';\n");
  await once(legacy.stdout, "data");
  const { error } = app("bun", database, "sql");
  legacy.kill("SIGKILL");
  assert.equal(error.code, "OWNED");
  assert.deepEqual(snapshot(database), before);
  await once(legacy, "exit");
  assert.equal(app("bun", database, "sql").result.outcome, "migrated");
});

// On Windows the upgrade copies v2 into the open database: tests/windows/incident.test.ts and
// runner/tests/it/held_on_windows.rs.
posix(
  "[8] a database that another process has open is refused, naming it; one that this process has open likewise",
  async () => {
    const database = fresh("wal");
    const other = spawn("sqlite3", [database], { stdio: ["pipe", "pipe", "inherit"] });
    other.stdin.write("SELECT count(*) FROM notes;\n");
    await once(other.stdout, "data");
    const { error } = app("node", database, "sql");
    other.kill("SIGKILL");
    assert.equal(error.code, "HELD");
    assert.ok(
      error.holders.some(({ pid }) => pid === other.pid),
      error.message,
    );
    for (const runtime of ["node", "bun"] as const) {
      const own = app(runtime, fresh("wal"), "sql", { hold: true });
      assert.equal(own.error.code, "HELD");
      assert.match(own.error.message, /this process/);
    }
  },
);

for (const runtime of ["node", "bun"] as const) {
  test(`${runtime}: the error of the application is the cause, and the upgrade undoes everything; v1 is in WAL mode again`, () => {
    for (const at of ["begin", "middle", "end"] as const) {
      const upgrade = new Case(seed("libsql", "wal"), "host");
      const database = upgrade.copy();
      const { error } = app(runtime, database, "host", { at, then: "throw" });
      assert.deepEqual(
        [error.code, error.cause, error.data.state],
        ["HOST", "TypeError: the application's own error", "v1"],
      );
      assert.equal(upgrade.which(database), "v1");
      assert.deepEqual(
        Object.keys(snapshot(database))
          .filter((name) => name !== "data.db-wal")
          .sort(),
        ["auth.json", "data.db"],
      );
      assert.deepEqual(shell(copySet(database), "PRAGMA journal_mode;"), ["wal"]);
      assert.equal(app(runtime, database, "host").result.outcome, "migrated");
      upgrade.assertOver(database);
    }
  });

  test(`${runtime}: after a kill inside the callback the next start has every row`, () => {
    for (const at of ["begin", "middle", "end"] as const) {
      const upgrade = new Case(seed("libsql", "wal"), "host");
      const database = upgrade.copy();
      assert.ok(app(runtime, database, "host", { at, then: "kill" }).killed);
      assert.equal(upgrade.which(database), "v1");
      const { result } = app(runtime, database, "host");
      assert.deepEqual([result.outcome, result.recovery], ["migrated", "undone"]);
      upgrade.assertOver(database);
    }
  });

  test(`${runtime}: an abort inside the callback undoes everything`, () => {
    const upgrade = new Case(seed("libsql", "wal"), "host");
    const database = upgrade.copy();
    assert.equal(
      app(runtime, database, "host", { at: "middle", then: "abort" }).error.code,
      "ABORTED",
    );
    assert.equal(upgrade.which(database), "v1");
  });
}

test("SQL that fails, or that ends its transaction, changes nothing", () => {
  for (const sql of [
    "CREATE TABLE t(x); INSERT INTO nowhere VALUES (1);",
    "CREATE TABLE t(x); COMMIT;",
    "SELECT RAISE(ROLLBACK, 'x');",
  ]) {
    const database = fresh();
    const before = facts(database);
    assert.equal(app("node", database, "sql", { sql }).error.code, "HOST", sql);
    assert.deepEqual(differences(before, facts(database)), []);
  }
});

test("SQL can read v1 and cannot write to it", () => {
  const database = fresh();
  const before = facts(database);
  const { error } = app("node", database, "sql", { sql: "DELETE FROM v1.notes;" });
  assert.match(error.message, /readonly|read-only/);
  assert.deepEqual(differences(before, facts(database)), []);
});
