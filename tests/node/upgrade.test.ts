// The upgrade through the addon: three real writers leave v1, Node and Bun upgrade it, and the
// sqlite3 shell compares every row.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { differences, expectedV2, facts, shell } from "../corpus/compare.js";
import {
  copySet,
  program,
  RUNTIMES,
  scratch,
  seed,
  wasKilled,
  type Mode,
  type Runtime,
  type Writer,
} from "../corpus/corpus.js";
import { Case, type How } from "../campaign/upgrade.js";
import { app } from "./app-run.js";

const WRITERS: Writer[] = ["libsql", "bun", "rusqlite"];
const MODES: Mode[] = ["wal", "delete", "hot"];
const header = (path: string) => shell(copySet(path), "PRAGMA journal_mode;").join();

function upgrades(
  runtime: Runtime,
  writer: Writer,
  mode: Mode,
  app_: string,
  pageSize?: number,
): void {
  const name = `${runtime} upgrades ${writer}'s v1 (${mode}${pageSize === undefined ? "" : `, pages of ${pageSize}`}) by ${app_}`;
  test(name, () => {
    const how = app_.replace("-bun", "") as How;
    const upgrade = new Case(seed(writer, mode, pageSize), how);
    const database = upgrade.copy();
    const { result, error } = app(runtime, database, app_);
    assert.equal(error, undefined);
    assert.deepEqual(
      [result.outcome, result.recovery, result.strategy],
      ["migrated", "none", "link-replace"],
    );
    upgrade.assertOver(database);
    // v2 has the journal mode of v1.
    assert.equal(header(database), mode === "wal" ? "wal" : "delete");
    assert.equal(app(runtime, database, app_).result.outcome, "current");
    rmSync(dirname(database), { recursive: true });
  });
}

for (const writer of WRITERS) {
  for (const mode of MODES) {
    upgrades("node", writer, mode, "sql");
    upgrades("bun", writer, mode, "host");
  }
}
for (const runtime of ["node", "bun"] as const) {
  upgrades(runtime, "libsql", "wal", "sql-copy");
  upgrades(runtime, "libsql", "wal", "host-copy");
}
upgrades("node", "libsql", "wal", "host");
upgrades("bun", "bun", "wal", "host-bun");
for (const pageSize of [512, 1024, 16384, 65536]) {
  upgrades("node", "rusqlite", "wal", "sql", pageSize);
  upgrades("node", "rusqlite", "hot", "sql-copy", pageSize);
}

for (const runtime of ["node", "bun"] as const) {
  test(`${runtime} upgrades a copy through the migrator of drizzle`, () => {
    const database = join(scratch(), "data.db");
    const old = spawnSync(RUNTIMES.node, [program("node/drizzle.js"), database], {
      encoding: "utf8",
    });
    assert.ok(wasKilled(old), old.stderr);
    const v1 = facts(database);
    // The SQL of both migrations.
    const expected = expectedV2(
      database,
      `CREATE TABLE \`lists\` (\`id\` integer PRIMARY KEY NOT NULL, \`name\` text NOT NULL);
       INSERT INTO lists VALUES (1, 'inbox');
       ALTER TABLE \`todos\` ADD \`list\` integer DEFAULT 1 NOT NULL;
       UPDATE todos SET title = upper(title);`,
      "copy",
    );
    const { result } = app(runtime, database, "drizzle");
    assert.equal(result.outcome, "migrated");
    assert.deepEqual(differences(v1, facts(result.backup ?? "")), []);
    const own = (lines: string[]) =>
      lines.filter(
        (line) =>
          !/^row: (__drizzle_migrations|sqlite_sequence) |^schema: table __drizzle/.test(line),
      );
    assert.deepEqual(differences(own(facts(expected)), own(facts(database))), []);
    assert.deepEqual(
      shell(
        copySet(database),
        "SELECT count(*) FROM __drizzle_migrations; SELECT title, done, list FROM todos;",
      ),
      ["2", "MILK|0|1", "BREAD|1|1"],
    );
    assert.equal(app(runtime, database, "drizzle").result.outcome, "current");
  });
}
