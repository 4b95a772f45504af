// The sample daemon. It takes the owner lock for life, upgrades its data if necessary, then serves
// the data. It runs on Node and on Bun.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CutoverError, doctor, lock, migrate, type Event } from "cutover";
import { Page } from "./page.js";
import { serve } from "./serve.js";
import { build, stamp, Store, type Report } from "./store.js";

const [directory, ...flags] = process.argv.slice(2);
if (!directory) throw new Error("usage: main.js DIRECTORY [--exit-when-ready]");
mkdirSync(directory, { recursive: true });
const path = join(directory, "data.db");

try {
  const owner = await lock(path);
  const events: Event[] = [];
  const { outcome, backup, warnings } = await migrate<null, Report>({
    path,
    label: "v1-v2",
    detect: { stamp },
    make: { from: "empty", run: build },
    lock: owner,
    onEvent: (event) => void events.push(event),
  });
  for (const warning of warnings) console.error(`warning: ${warning.message}`);
  // Also if an earlier start upgraded, and was killed before it could print this.
  if (backup !== null) console.log(`Migrated local data to v2; moved old DB to ${backup}`);
  else
    console.log(
      outcome === "current"
        ? "Local data is already v2"
        : "No local data yet; starting with an empty v2",
    );

  // Before this process opens the database. Afterwards the doctor must not open the file in this
  // process, and would report less.
  const found = await doctor(path, { events }).catch(() => null);
  const store = new Store(path);
  await store.open();
  const server = await serve(store, found && Page.of(found));
  const stop = () => {
    server.close();
    store.close();
    owner.release();
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  if (flags.includes("--exit-when-ready")) stop();
} catch (error) {
  if (!(error instanceof CutoverError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
