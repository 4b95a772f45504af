// The sample applications in folders whose names a URL, SQL or a shell reads in another way.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { shell } from "../corpus/compare.js";
import {
  copySet,
  onWindows,
  program,
  RUNTIMES,
  scratch,
  seed,
  wasKilled,
} from "../corpus/corpus.js";
import { app } from "./app-run.js";

/** Windows allows fewer. */
const FOLDERS = [
  "O'Brien",
  "50%",
  "a%41b",
  "c#",
  onWindows ? "with spaces" : "with spaces ",
  ...(onWindows ? [] : ["what?mode=memory", 'a "quoted" one', "two\nlines", "back\\slash"]),
];

/** A folder of this name. Beside it is the one that a program would find that decodes `a%41b`. */
function folder(name: string): string {
  const beside = scratch();
  for (const each of new Set([name, "aAb"])) mkdirSync(join(beside, each));
  return join(beside, name);
}

/** Nothing was written beside the folder. */
function assertAlone(directory: string, name: string): void {
  const beside = join(directory, "..");
  assert.deepEqual(readdirSync(beside).sort(), [...new Set([name, "aAb"])].sort());
  assert.deepEqual(readdirSync(join(beside, "aAb")), []);
}

function run(name: string, ...args: string[]) {
  return spawnSync(RUNTIMES.node, [program(name), ...args], { encoding: "utf8" });
}

for (const name of FOLDERS) {
  const told = JSON.stringify(name);
  for (const [runtime, how] of [
    ["node", "host"],
    ["node", "host-copy"],
    ["bun", "host"],
    ["bun", "host-bun"],
  ] as const) {
    test(`in ${told} the application upgrades (${runtime}, ${how})`, () => {
      const directory = folder(name);
      const database = copySet(seed("libsql", "wal"), directory);
      const { result, error } = app(runtime, database, how);
      assert.equal(error, undefined);
      assert.equal(result.outcome, "migrated");
      assert.equal(app(runtime, database, how).result.outcome, "current");
      assertAlone(directory, name);
    });
  }

  test(`in ${told} the migrator of drizzle upgrades`, () => {
    const directory = folder(name);
    const database = join(directory, "data.db");
    assert.ok(wasKilled(run("node/drizzle.js", database)));
    assert.equal(app("node", database, "drizzle").result.outcome, "migrated");
    assertAlone(directory, name);
  });

  test(`in ${told} a schema that only libSQL reads is upgraded`, () => {
    const directory = folder(name);
    const database = join(directory, "data.db");
    assert.ok(wasKilled(run("node/vectors.js", database, "seed")));
    const { outcome } = JSON.parse(run("node/vectors.js", database, "verified").stdout) as {
      outcome: string;
    };
    assert.equal(outcome, "migrated");
    assert.deepEqual(JSON.parse(run("node/vectors.js", database, "count").stdout), ["bread", 2]);
    assertAlone(directory, name);
  });

  test(`in ${told} the daemon upgrades, and so does its old release`, async () => {
    const directory = folder(name);
    assert.ok(wasKilled(run("daemon/seed.js", directory)));
    assert.match(await ready("daemon/main.js", directory), /^Migrated local data to v2; /);
    assertAlone(directory, name);
    // On Windows the old release cannot rename what it holds.
    if (onWindows) return;
    const old = folder(name);
    assert.ok(wasKilled(run("daemon/seed.js", old)));
    shell(join(old, "data.db"), "PRAGMA journal_mode=DELETE;");
    shell(join(old, "data.db.building"), "PRAGMA journal_mode=WAL; CREATE TABLE t(x); DROP TABLE t;");
    assert.match(await ready("node/by-hand.js", old), /^READY:/);
    assertAlone(old, name);
  });
}

/** Starts a daemon, and ends it once it is ready. Returns the first line that it printed. */
async function ready(name: string, directory: string): Promise<string> {
  const daemon = spawn(RUNTIMES.node, [program(name), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  try {
    // A path may have a newline.
    for await (const line of createInterface(daemon.stdout)) {
      lines.push(line);
      if (line.startsWith("READY:")) break;
    }
  } finally {
    daemon.kill("SIGKILL");
  }
  assert.ok(lines.at(-1)?.startsWith("READY:"), lines.join("\n"));
  return lines[0] ?? "";
}
