// Leaves data.db as the old release does: libSQL writes it in WAL mode, and the process is killed
// while committed rows are still in the -wal.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";

const directory = process.argv[2];
if (!directory) throw new Error("usage: seed.js DIRECTORY");
mkdirSync(directory, { recursive: true });

const db = createClient({ url: pathToFileURL(join(directory, "data.db")).href });
const insert = "INSERT INTO notes(id, title, body, tags, created_ms) VALUES(?, ?, ?, ?, ?)";
const note = (n: number) => ({
  sql: insert,
  args: [
    `note-${n}`,
    `Note ${n}`,
    `The body of note ${n}. `.repeat(n % 7),
    n % 3 === 0 ? "work,urgent" : "home",
    1_700_000_000_000 + n,
  ],
});
const notes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => note(from + index));

await db.execute("PRAGMA journal_mode=WAL");
await db.executeMultiple(`
  CREATE TABLE notes(id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT, tags TEXT NOT NULL DEFAULT '', created_ms INTEGER NOT NULL);
  CREATE INDEX notes_created ON notes(created_ms);
`);
await db.batch(notes(0, 200), "write");
await db.execute("PRAGMA wal_checkpoint(TRUNCATE)");
await db.batch(notes(200, 250), "write");
process.kill(process.pid, "SIGKILL");
