// The peers: other ways to v2, or as far as a copy of v1. Each is measured in a process of its own,
// from the call to the last flush.
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Input, Output } from "./rounds.js";
import { Shell } from "./shell.js";
import { flush, INDEX, literal, STAMP, TABLE, toV2 } from "./v1.js";

export async function time(work: () => unknown): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function inShell(open: string, commands: string, to: string): Promise<Output> {
  const shell = await Shell.open(open);
  const ms = await time(async () => {
    await shell.run(commands);
    flush(to);
  });
  return { ms, peakKb: await shell.end() };
}

/** The least: no journal, nothing flushed but the whole, nothing checked, nothing installed. */
export const shellSql = ({ path, to = "" }: Input): Promise<Output> =>
  inShell(
    to,
    `PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; ATTACH ${literal(path)} AS v1; BEGIN; ${toV2("v1.notes")} COMMIT;`,
    to,
  );

export const vacuumInto = ({ path, to = "" }: Input): Promise<Output> =>
  inShell(path, `VACUUM INTO ${literal(to)};`, to);

/** SQLite's backup API over a database that is there, in one durable transaction. */
export const backupOver = ({ path, to = "" }: Input): Promise<Output> =>
  inShell(path, `.backup ${literal(to)}`, to);

/** What `cp` does, without the start of its process. */
export async function copy({ path, to = "" }: Input): Promise<Output> {
  const ms = await time(() => {
    copyFileSync(path, to);
    flush(to);
  });
  return { ms };
}

/** How an application copies rows through libSQL: one transaction, one insert for each row. */
export async function insertRows(from: string, to: string, rowBytes: number): Promise<void> {
  const { createClient } = await import("@libsql/client");
  const v1 = createClient({ url: pathToFileURL(from).href });
  const v2 = createClient({ url: pathToFileURL(to).href });
  try {
    const work = await v2.transaction("write");
    await work.execute(TABLE);
    const some = Math.ceil(4e6 / rowBytes);
    for (let last = 0; ;) {
      const { rows } = await v1.execute({
        sql: "SELECT id, title, body FROM notes WHERE id > ? ORDER BY id LIMIT ?",
        args: [last, some],
      });
      for (const { id, title, body } of rows) {
        await work.execute({
          sql: "INSERT INTO note(id, title, body) VALUES (?, ?, ?)",
          args: [id as number, String(title).toUpperCase(), body as ArrayBuffer],
        });
        last = id as number;
      }
      if (rows.length < some) break;
    }
    await work.execute(INDEX);
    await work.execute(STAMP);
    await work.commit();
  } finally {
    v1.close();
    v2.close();
  }
}

/** As applications write it: a copy of the set, inserts, a check, two renames, a flush after each. */
export async function application({ path, rowBytes = 1024 }: Input): Promise<Output> {
  const { createClient } = await import("@libsql/client");
  const directory = dirname(path);
  const [copied, built] = [`${path}.copy`, `${path}.new`];
  const ms = await time(async () => {
    for (const suffix of ["", "-wal"].filter((suffix) => existsSync(path + suffix))) {
      copyFileSync(path + suffix, copied + suffix);
      flush(copied + suffix);
    }
    await insertRows(copied, built, rowBytes);
    const v2 = createClient({ url: pathToFileURL(built).href });
    const { rows } = await v2.execute("PRAGMA integrity_check");
    if (rows[0]?.integrity_check !== "ok") throw new Error("v2 is damaged");
    v2.close();
    flush(built);
    renameSync(path, `${path}.backup`);
    flush(directory);
    renameSync(built, path);
    flush(directory);
    for (const suffix of ["", "-wal", "-shm"]) rmSync(copied + suffix, { force: true });
  });
  return { ms };
}

/** What is loaded from the folder of the peers. */
interface Peers {
  Database: new (path: string) => {
    pragma(name: string, options?: object): unknown;
    close(): void;
  };
  drizzle: (options: { client: object }) => object;
  migrate: (db: object, options: { migrationsFolder: string }) => void;
}

export function peers(folder: string): Peers {
  const load = createRequire(join(folder, "package.json"));
  return {
    Database: load("better-sqlite3"),
    drizzle: load("drizzle-orm/better-sqlite3").drizzle,
    migrate: load("drizzle-orm/better-sqlite3/migrator").migrate,
  };
}

/** drizzle's migrator on the database itself: v1 is gone when it is done. */
export async function drizzleInPlace({ path, folder = "" }: Input): Promise<Output> {
  const { Database, drizzle, migrate } = peers(folder);
  const migrationsFolder = join(folder, "migrations");
  const entry = { idx: 0, version: "6", when: 1, tag: "0000_v2", breakpoints: true };
  mkdirSync(join(migrationsFolder, "meta"), { recursive: true });
  writeFileSync(
    join(migrationsFolder, "meta/_journal.json"),
    JSON.stringify({ version: "7", dialect: "sqlite", entries: [entry] }),
  );
  const sql = `${toV2("notes")} DROP TABLE notes;`.replaceAll(";", ";\n--> statement-breakpoint\n");
  writeFileSync(
    join(migrationsFolder, "0000_v2.sql"),
    sql.slice(0, sql.lastIndexOf("--> statement-breakpoint")),
  );
  const ms = await time(() => {
    const client = new Database(path);
    migrate(drizzle({ client }), { migrationsFolder });
    client.close();
    flush(path);
  });
  return { ms };
}
