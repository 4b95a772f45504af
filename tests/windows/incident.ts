// The incident, round after round: `incident.js DIRECTORY ROUNDS RELEASE`. The test starts it on
// Node and on Bun. Each line is the result of one round, as JSON.
//
// libSQL writes v1 and builds v2. Both connections are closed and leak, because a prepared
// statement of each is alive.
//
// RELEASE: collected   no variable refers to the statements
//          late        a variable refers to them until the third release of handles
//          never       a variable refers to them until the process ends
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import { CutoverError, migrate, type Event } from "cutover";

interface Database {
  prepare(sql: string): { get(): unknown };
  close(): void;
}
/** The driver below @libsql/client, which exposes its statements. */
const Libsql = createRequire(createRequire(import.meta.url).resolve("@libsql/client"))(
  "libsql",
) as new (path: string) => Database;

const [directory = "", rounds, release] = process.argv.slice(2);
const PLACES = ["canonical", "staging", "both"] as const;
export type Round = {
  place: (typeof PLACES)[number];
  /**
   * The errors of two plain renames: `fsync` through a read-only handle, `rename` and `unlink` of
   * closed files.
   */
  old: string[];
  result?: { outcome: string; strategy: string; warnings: unknown[] };
  error?: string;
  waitedMs: number;
  /** The names of the remaining files, without times and nonces. */
  names: string[];
  /** The names of the backup, and its rows as another process sees them. */
  backup: [names: number, rows: string];
  /**
   * The rows of v2 as the live application and another process see them, each after the other
   * wrote.
   */
  live: [application: number, elsewhere: string];
  /** The outcome of another start. */
  again: string;
};

const WAIT_MS = 600;
/** The statements that stay alive until the process ends. */
const forEver: unknown[] = [];
const shell = (path: string, sql: string) => {
  const { stdout, stderr, error, status, signal } = spawnSync("sqlite3", [path, sql], {
    encoding: "utf8",
  });
  if (error) throw error;
  return (stdout + stderr).trim().replaceAll("\r", "") || `nothing, ended by ${signal ?? status}`;
};

/** A connection that is closed while its statement is alive. */
function zombie(path: string): unknown {
  const db = new Libsql(path);
  const statement = db.prepare("SELECT count(*) FROM sqlite_master");
  statement.get();
  db.close();
  return statement;
}

function code(act: () => void): string {
  try {
    act();
    return "ok";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** Does what the daemon did, without a retry, while a statement is alive. */
function theOldWay(path: string): string[] {
  const statement = zombie(path);
  const flush = () => {
    const handle = openSync(path, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  };
  const codes = [
    code(flush),
    code(() => renameSync(path, `${path}.v1`)),
    code(() => unlinkSync(path)),
  ];
  if (statement === undefined) throw new Error("the statement is alive");
  return codes;
}

async function round(place: Round["place"], number: number): Promise<Round> {
  const own = join(directory, String(number));
  mkdirSync(own);
  const path = join(own, "data.db");
  const v1 = createClient({ url: pathToFileURL(path).href });
  await v1.executeMultiple(
    "PRAGMA journal_mode = WAL; CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);",
  );
  await v1.batch(
    [1, 2, 3].map((n) => ({ sql: "INSERT INTO notes (text) VALUES (?)", args: [`note ${n}`] })),
    "write",
  );
  v1.close();
  let kept: unknown[] = [];
  const keep = (file: string) => {
    const statement = zombie(file);
    if (release !== "collected") kept.push(statement);
    if (release === "never") forEver.push(statement);
  };
  if (place !== "staging") keep(path);
  const old = theOldWay(path);
  let releases = 0;
  let waitedMs = 0;
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  const collect = Bun ? () => Bun.gc(true) : (globalThis.gc ?? (() => {}));
  const late = () => {
    if (++releases >= 3) kept = [];
    collect();
  };
  const run: Partial<Round> = {};
  try {
    const { outcome, strategy, warnings, backup } = await migrate({
      path,
      label: "v1-v2",
      detect: { userVersion: 2 },
      make: {
        from: "empty",
        run: async (job) => {
          const v2 = createClient({ url: pathToFileURL(job.staging).href });
          await v2.executeMultiple(`PRAGMA journal_mode = WAL; CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
            ATTACH '${(await job.source()).replaceAll("'", "''")}' AS v1; INSERT INTO note SELECT id, text FROM v1.notes; PRAGMA user_version = 2;`);
          v2.close();
          if (place !== "canonical") keep(job.staging);
          return { expect: { note: 3 } };
        },
      },
      waitMs: WAIT_MS,
      onEvent: (event: Event) => {
        if (event.type === "wait") waitedMs = event.waitedMs;
      },
      ...(release === "late" ? { releaseHandles: late } : {}),
    });
    run.result = { outcome, strategy: String(strategy), warnings };
    run.backup = [
      statSync(backup ?? "").nlink,
      shell(
        backup ?? "",
        "SELECT count(*), group_concat(text) FROM notes; PRAGMA integrity_check;",
      ),
    ];
  } catch (error) {
    if (!(error instanceof CutoverError)) throw error;
    run.error = error.message;
  }
  const live = createClient({ url: pathToFileURL(path).href });
  await live.execute("INSERT INTO note (body) VALUES ('of the application')");
  const elsewhere = shell(
    path,
    "INSERT INTO note (body) VALUES ('of another process'); SELECT count(*) FROM note; PRAGMA integrity_check;",
  );
  const rows = Number((await live.execute("SELECT count(*) AS n FROM note")).rows[0]?.n);
  live.close();
  // A leaked connection that is collected now has the lock for an instant.
  const again = await migrate({
    path,
    label: "v1-v2",
    detect: { userVersion: 2 },
    make: { from: "empty", run: { sql: "" } },
    waitMs: WAIT_MS,
  });
  const names = readdirSync(own).map((name) =>
    name.replaceAll(/\d{13}-[0-9a-f]{8}|(?<=(?:building|install)-)[0-9a-f]{8}/g, "*"),
  );
  return {
    place,
    old,
    waitedMs,
    backup: [0, ""],
    ...run,
    live: [rows, elsewhere],
    again: again.outcome,
    names: names.filter((name) => !/-lock(-journal)?$|^data\.db-(wal|shm)$/.test(name)).sort(),
  };
}

for (let number = 0; number < Number(rounds); number += 1) {
  console.log(JSON.stringify(await round(PLACES[number % 3] as Round["place"], number)));
}
