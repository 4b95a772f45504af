// The old release of the sample daemon: it builds v2 through libSQL and renames the file over
// data.db, while the leaked connection still holds the file. `by-hand.js DIRECTORY`, where data.db
// is a settled v1 and data.db.building an empty database in WAL mode.
import { closeSync, copyFileSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "@libsql/client";
import type { Job } from "cutover";
import { serve } from "../daemon/serve.js";
import { build, Store } from "../daemon/store.js";

const path = join(process.argv[2] ?? "", "data.db");
const [source, staging] = [`${path}.source`, `${path}.building`];
copyFileSync(path, source);
await build({ source: async () => source, staging, progress: () => {} } as unknown as Job);
const settle = createClient({ url: pathToFileURL(staging).href });
await settle.execute("PRAGMA wal_checkpoint(TRUNCATE)");
settle.close();
// A close of any descriptor drops every lock of this process on the file, also that of the leaked
// connection.
const handle = openSync(staging, "r+");
fsyncSync(handle);
closeSync(handle);
renameSync(path, `${path}.v1`);
renameSync(staging, path);
for (const suffix of ["-wal", "-shm"]) rmSync(staging + suffix, { force: true });
const store = new Store(path);
await store.open();
await serve(store);
