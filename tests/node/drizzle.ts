// An application whose schema the migrator of drizzle keeps: the upgrade is its next migration, on
// a copy of v1. As a program (`drizzle.js PATH`) it is the old release, which knows only the first
// migration, and which is killed with rows in its -wal.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import type { Reader, Verdict } from "cutover";
import { drizzle } from "drizzle-orm/libsql";
import { migrate } from "drizzle-orm/libsql/migrator";

const folder = fileURLToPath(new URL("../../node/drizzle", import.meta.url));

export async function upgrade(staging: string, migrationsFolder = folder): Promise<void> {
  const client = createClient({ url: pathToFileURL(staging).href });
  await migrate(drizzle(client), { migrationsFolder });
  client.close();
}

export async function detect(db: Reader): Promise<Verdict> {
  const [row] = await db.all<{ n: number }>("SELECT count(*) AS n FROM __drizzle_migrations");
  return row !== undefined && row.n >= 2 ? "current" : "old";
}

const path = process.argv[1] === fileURLToPath(import.meta.url) ? process.argv[2] : undefined;
if (path !== undefined) {
  const old = mkdtempSync(join(tmpdir(), "cutover-drizzle-"));
  cpSync(folder, old, { recursive: true });
  const journal = JSON.parse(readFileSync(join(old, "meta/_journal.json"), "utf8")) as {
    entries: unknown[];
  };
  journal.entries.pop();
  writeFileSync(join(old, "meta/_journal.json"), JSON.stringify(journal));
  const client = createClient({ url: pathToFileURL(path).href });
  await client.execute("PRAGMA journal_mode=WAL");
  await upgrade(path, old);
  rmSync(old, { recursive: true });
  await client.executeMultiple(
    "INSERT INTO todos(title) VALUES ('milk'), ('bread'); PRAGMA wal_autocheckpoint=0; UPDATE todos SET done = 1 WHERE id = 2;",
  );
  process.kill(process.pid, "SIGKILL");
}
