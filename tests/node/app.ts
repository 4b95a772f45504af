// An application that upgrades its database. The tests start it on Node and on Bun: `app.js PATH
// HOW [JSON]`. Its last line is `{ result }` or `{ error }` as JSON. tests/rust/src/bin/upgrade.rs
// is its twin in Rust.
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import {
  CutoverError,
  inspect,
  lock,
  migrate,
  type Job,
  type MigrateOptions,
  type Reader,
  type Verdict,
} from "cutover";
import { corpus } from "../corpus/corpus.js";

/** The options of a test beside HOW. */
export interface Wish {
  sql?: string;
  detect?: "stamp" | "function" | "drizzle" | { userVersion: number };
  expect?: Record<string, number>;
  /** Where the callback kills the process, throws or stops. */
  at?: "begin" | "middle" | "end";
  then?: "kill" | "throw" | "abort";
  /** Keeps a libSQL connection of this process open on the database. */
  hold?: boolean;
  /** What to do when this process has the database open. */
  held?: "refuse" | "proceed";
  /**
   * Whether the application goes on with its database, while another process reads and tries to
   * leave WAL mode.
   */
  live?: boolean;
  /** Whether the application leaks a libSQL connection to v2, and upgrades again. */
  again?: boolean;
  /** How often the application takes the lock before, and keeps it. */
  lock?: number;
}

const [path, how, json] = process.argv.slice(2);
if (!path || !how) throw new Error("usage: app.js PATH HOW [JSON]");
const wish = JSON.parse(json ?? "{}") as Wish;
const stopper = new AbortController();

function reach(place: Wish["at"]): void {
  if (wish.at !== place) return;
  if (wish.then === "kill") process.kill(process.pid, "SIGKILL");
  if (wish.then === "throw") throw new TypeError("the application's own error");
  if (wish.then === "abort") stopper.abort(new Error("the user closed the window"));
}

/** A path as SQL has it. */
const literal = (path: string) => `'${path.replaceAll("'", "''")}'`;

const count = async (db: { execute(sql: string): Promise<{ rows: Record<string, unknown>[] }> }) =>
  Number((await db.execute("SELECT count(*) AS n FROM notes")).rows[0]?.n);

/** Builds v2 through libSQL and closes the connection, which leaks it. */
async function build(job: Job) {
  reach("begin");
  const db = createClient({ url: pathToFileURL(job.staging).href });
  await job.saveState({ attempt: job.attempt });
  if (how === "host-copy") {
    const work = await db.transaction("write");
    await work.executeMultiple(corpus("v2-copy.sql"));
    reach("middle");
    await work.commit();
  } else {
    // The plan flushes the complete v2 once.
    await db.executeMultiple(
      `PRAGMA synchronous = OFF; ATTACH ${literal(await job.source())} AS v1; BEGIN; ${corpus("v2.sql")} COMMIT;`,
    );
    reach("middle");
  }
  const notes = await count(db);
  db.close();
  const auth = job.companion("auth");
  await auth.write(`v2 of ${(await auth.text()) ?? ""}`);
  job.warn("the application has something to say");
  job.progress(1, 1);
  reach("end");
  return {
    expect: { notes, ...wish.expect },
    report: { notes, v1: await job.v1.all("SELECT count(*) AS n FROM notes") },
  };
}

/** Builds v2 through bun:sqlite and closes the connection. */
async function buildWithBun(job: Job) {
  const module = "bun:sqlite";
  const { Database } = (await import(module)) as {
    Database: new (path: string) => {
      exec(sql: string): void;
      prepare(sql: string): { get(): unknown };
      close(): void;
    };
  };
  const db = new Database(job.staging);
  db.exec(`ATTACH ${literal(await job.source())} AS v1; ${corpus("v2.sql")}`);
  db.prepare("SELECT count(*) FROM notes").get();
  db.close();
  const auth = job.companion("auth");
  await auth.write(`v2 of ${(await auth.text()) ?? ""}`);
}

const RUN: Record<string, MigrateOptions["make"]> = {
  sql: { from: "empty", run: { sql: wish.sql ?? corpus("v2.sql") } },
  "sql-copy": { from: "copy", run: { sql: wish.sql ?? corpus("v2-copy.sql") } },
  host: { from: "empty", run: build },
  "host-copy": { from: "copy", run: build },
  "host-bun": { from: "empty", run: buildWithBun },
  drizzle: {
    from: "copy",
    run: async (job) => (await import("./drizzle.js")).upgrade(job.staging),
  },
};

const stamp = { table: "schema_info", column: "version", value: "v2" };
const DETECT = {
  stamp: { stamp },
  drizzle: async (db: Reader): Promise<Verdict> => (await import("./drizzle.js")).detect(db),
  function: async (db: Reader): Promise<Verdict> =>
    (await db.all("SELECT 1 FROM sqlite_master WHERE name = 'schema_info'")).length > 0
      ? "current"
      : "old",
};

/**
 * Goes on with the database through libSQL, and returns what another process sees of its commits.
 */
async function live(): Promise<{ live?: string[] }> {
  if (!wish.live) return {};
  const db = createClient({ url: pathToFileURL(path as string).href });
  kept.push(db);
  await db.executeMultiple(
    "PRAGMA journal_mode = WAL; CREATE TABLE live (row INTEGER); INSERT INTO live VALUES (1);",
  );
  const elsewhere = (sql: string) =>
    spawnSync("sqlite3", [path as string, sql], { encoding: "utf8" }).stdout.trim();
  const seen = [elsewhere("SELECT count(*) FROM live; PRAGMA journal_mode = DELETE;")];
  await db.execute("INSERT INTO live VALUES (2)");
  seen.push(
    elsewhere("SELECT count(*) FROM live; SELECT count(*) FROM notes; PRAGMA integrity_check;"),
  );
  return { live: seen };
}

/** Leaks a connection to v2, and upgrades again. Returns how that went. */
async function again(options: MigrateOptions): Promise<{ again?: object }> {
  if (!wish.again) return {};
  const db = createClient({ url: pathToFileURL(path as string).href });
  // Never closed: libSQL releases a closed one whenever it is collected.
  kept.push(db, await db.execute("SELECT count(*) FROM notes"));
  const { held } = await inspect(path as string);
  let waits = 0;
  const onEvent: MigrateOptions["onEvent"] = ({ type }) => {
    if (type === "wait") waits += 1;
  };
  const { outcome } = await migrate({ ...options, onEvent });
  return { again: { held, outcome, waits } };
}

// This process keeps them until it ends.
const kept: unknown[] = [];
if (wish.hold) {
  const db = createClient({ url: pathToFileURL(path as string).href });
  await db.execute("SELECT count(*) FROM notes");
  kept.push(db);
}
try {
  for (let n = 0; n < (wish.lock ?? 0); n += 1) kept.push(await lock(path));
  const make = RUN[how];
  if (!make) throw new Error(`HOW is one of ${Object.keys(RUN).join(", ")}`);
  const { detect = how === "drizzle" ? "drizzle" : "stamp" } = wish;
  const options: MigrateOptions = {
    path,
    label: "v1-v2",
    detect: typeof detect === "object" ? detect : DETECT[detect],
    make,
    waitMs: 100,
    signal: stopper.signal,
    ...(wish.held ? { held: wish.held } : {}),
    ...(how.startsWith("host") ? { companions: { auth: join(dirname(path), "auth.json") } } : {}),
  };
  const result = await migrate(options);
  console.log(JSON.stringify({ result, ...(await live()), ...(await again(options)) }));
} catch (error) {
  if (!(error instanceof CutoverError)) throw error;
  const { code, message, data, holders, hint, phase, cause } = error;
  console.log(
    JSON.stringify({
      error: {
        code,
        message,
        data,
        holders,
        hint,
        phase,
        cause: cause === undefined ? null : String(cause),
      },
      ...(await live()),
    }),
  );
}
