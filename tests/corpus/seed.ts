// Writes v1 through libSQL (on Node) or bun:sqlite (on Bun): `seed.js ENGINE PATH MODE PAGE_SIZE`.
// It always ends by SIGKILL, as an application may. tests/rust/src/bin/seed.rs is its twin for
// rusqlite.
//
// MODE: wal     WAL mode, v1-more.sql only in the -wal
//       delete  rollback mode, no open transaction
//       hot     rollback mode, killed during a transaction that is half in the file
import { pathToFileURL } from "node:url";
import { corpus } from "./corpus.js";

interface Writer {
  exec(sql: string): Promise<unknown>;
  /** Begins a transaction and leaves it open. */
  begin(sql: string): Promise<unknown>;
}

async function libsql(path: string): Promise<Writer> {
  const { createClient } = await import("@libsql/client");
  const db = createClient({ url: pathToFileURL(path).href });
  return {
    exec: (sql) => db.executeMultiple(sql),
    begin: async (sql) => (await db.transaction("write")).executeMultiple(sql),
  };
}

async function bunSqlite(path: string): Promise<Writer> {
  // Only Bun has this module, and only Bun runs this line.
  const module = "bun:sqlite";
  const { Database } = (await import(module)) as {
    Database: new (path: string) => { exec(sql: string): void };
  };
  const db = new Database(path);
  return {
    exec: async (sql) => db.exec(sql),
    begin: async (sql) => db.exec(`BEGIN IMMEDIATE; ${sql}`),
  };
}

const [engine, path, mode, pageSize] = process.argv.slice(2);
if (!engine || !path || !mode || !pageSize)
  throw new Error("usage: seed.js ENGINE PATH MODE PAGE_SIZE");
const db = await (engine === "bun" ? bunSqlite(path) : libsql(path));
await db.exec(
  `PRAGMA page_size=${pageSize}; PRAGMA journal_mode=${mode === "wal" ? "WAL" : "DELETE"};`,
);
await db.exec(corpus("v1.sql"));
if (mode === "wal") await db.exec("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0;");
await db.exec(corpus("v1-more.sql"));
if (mode === "hot") await db.begin(corpus("v1-uncommitted.sql"));
process.kill(process.pid, "SIGKILL");
