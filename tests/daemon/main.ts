// The sample daemon: takes the owner lock for life, upgrades its data if need be, then serves it. Runs on Node and on Bun.
import { mkdirSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { CutoverError, lock, migrate } from "cutover";
import { build, stamp, Store, type Report } from "./store.js";

const [directory, ...flags] = process.argv.slice(2);
if (!directory) throw new Error("usage: main.js DIRECTORY [--exit-when-ready]");
mkdirSync(directory, { recursive: true });
const path = join(directory, "data.db");

try {
  const owner = await lock(path);
  const { outcome, backup, warnings } = await migrate<null, Report>({
    path,
    label: "v1-v2",
    detect: { stamp },
    make: { from: "empty", run: build },
    lock: owner,
  });
  for (const warning of warnings) console.error(`warning: ${warning.message}`);
  // Also when it was an earlier start that did it, and was killed before it could say so.
  if (backup !== null) console.log(`Migrated local data to v2; moved old DB to ${backup}`);
  else console.log(outcome === "current" ? "Local data is already v2" : "No local data yet; starting with an empty v2");

  const store = new Store(path);
  await store.open();
  const server = createServer((request, response) => void answer(store, request, response));
  server.listen(0, "127.0.0.1", () => {
    console.log(`READY:${(server.address() as AddressInfo).port}`);
    if (flags.includes("--exit-when-ready")) stop();
  });
  const stop = () => {
    server.close();
    server.closeAllConnections();
    store.close();
    owner.release();
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
} catch (error) {
  if (!(error instanceof CutoverError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

/** GET gives everything; POST {id, title} adds a note. */
async function answer(store: Store, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    if (request.method === "POST") {
      const { id, title } = JSON.parse((await request.toArray()).join("")) as { id: string; title: string };
      await store.add(id, title);
      send(201, { id, title });
    } else {
      send(200, await store.all());
    }
  } catch (error) {
    send(500, { error: String(error) });
  }
}
