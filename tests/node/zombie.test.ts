// A process has its own database open by a libSQL connection, and says that the connection is
// leaked: `held: "proceed"`. Afterwards the application opens the database through libSQL, and
// another process sees every row that the application commits.
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { Case } from "../campaign/upgrade.js";
import { onWindows, seed } from "../corpus/corpus.js";
import { app } from "./app-run.js";

const names = (database: string) =>
  readdirSync(dirname(database)).filter(
    (name) => !/-lock(-journal)?$|-shm$|-wal$|^auth/.test(name),
  );

// POSIX only: on Windows the upgrade copies v2 into the open database
// (tests/windows/incident.test.ts).
const posix = onWindows ? () => undefined : test;

for (const runtime of ["node", "bun"] as const) {
  posix(
    `${runtime}: with "proceed" v2 has all rows, and what the application commits since is seen elsewhere`,
    () => {
      const database = new Case(seed("libsql", "wal"), "sql").copy();
      const before = statSync(database).ino;
      const { result, live } = app(runtime, database, "sql", {
        hold: true,
        held: "proceed",
        live: true,
      });
      assert.equal(result.outcome, "migrated");
      assert.deepEqual(result.warnings, []);
      assert.notEqual(statSync(database).ino, before);
      assert.deepEqual([live?.[0]?.split("\n")[0], live?.[1]], ["1", "2\n7\nok"]);
      assert.equal(names(database).length, 3);
    },
  );

  posix(
    `${runtime}: with "proceed" and a failure v1 is a new file, and what the application commits since is seen elsewhere`,
    () => {
      const database = new Case(seed("libsql", "wal"), "sql").copy();
      const before = statSync(database).ino;
      const { error, live } = app(runtime, database, "sql", {
        hold: true,
        held: "proceed",
        live: true,
        sql: "no SQL",
      });
      assert.equal(error.code, "HOST");
      assert.notEqual(statSync(database).ino, before);
      assert.deepEqual([live?.[0]?.split("\n")[0], live?.[1]], ["1", "2\n7\nok"]);
      assert.deepEqual(names(database), ["data.db"]);
    },
  );
}

for (const runtime of ["node", "bun"] as const)
  for (const detect of ["stamp", "function"] as const)
    posix(`${runtime}: what this process found current by a ${detect} is so beside a leaked connection`, () => {
      const database = new Case(seed("libsql", "wal"), "sql").copy();
      const { result, again } = app(runtime, database, "sql", { again: true, detect });
      assert.equal(result.outcome, "migrated");
      assert.deepEqual(again, { held: true, outcome: "current", waits: 0 });
    });

posix("without it the database is refused and left alone", () => {
  const database = new Case(seed("libsql", "wal"), "sql").copy();
  const before = statSync(database).ino;
  assert.equal(app("node", database, "sql", { hold: true }).error.code, "HELD");
  assert.equal(statSync(database).ino, before);
});
