// The sample daemon, as a user and as another process see it.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, test } from "node:test";
import { differences, facts, shell } from "../corpus/compare.js";
import { copySet, onWindows, program, RUNTIMES, scratch, wasKilled, type Runtime } from "../corpus/corpus.js";

/** What the old release leaves; made once. */
const old = scratch();
assert.ok(wasKilled(spawnSync(RUNTIMES.node, [program("daemon/seed.js"), old], { encoding: "utf8" })));

interface Daemon {
  process: ChildProcess;
  lines: string[];
  url: string;
}

// A daemon that a failing test leaves alive would keep this process waiting.
const alive = new Set<ChildProcess>();
afterEach(() => alive.forEach((child) => child.kill("SIGKILL")));

async function boot(runtime: Runtime, ...args: string[]): Promise<Daemon> {
  const child = spawn(RUNTIMES[runtime], args, { stdio: ["ignore", "pipe", "inherit"] });
  alive.add(child);
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (line.startsWith("READY:")) return { process: child, lines, url: `http://127.0.0.1:${line.slice(6)}` };
  }
  throw new Error(`it ended before it was ready: ${lines.join("\n")}`);
}

async function stop({ process }: Daemon, signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
  process.kill(signal);
  const [status] = (await once(process, "exit")) as [number | null];
  // Windows has no signals: it ends at once.
  return onWindows && signal === "SIGTERM" ? 0 : status;
}

/** Asks the daemon. Under Wine Node cannot connect to the loopback interface (libuv sets SIO_TCP_INITIAL_RTO first, which Wine lacks), and Bun can. */
async function ask(url: string, body?: string): Promise<{ status: number; json: unknown }> {
  if (!onWindows) {
    const response = await fetch(url, body === undefined ? {} : { method: "POST", body });
    return { status: response.status, json: await response.json() };
  }
  const script = `const [url, body] = JSON.parse(process.env.ASK); const response = await fetch(url, body === null ? {} : { method: "POST", body });
    console.log(JSON.stringify({ status: response.status, json: await response.json() }));`;
  const { stdout } = spawnSync(RUNTIMES.bun, ["-e", script], { encoding: "utf8", env: { ...process.env, ASK: JSON.stringify([url, body ?? null]) } });
  return JSON.parse(stdout) as { status: number; json: unknown };
}

const add = async (url: string, id: string) => assert.equal((await ask(url, JSON.stringify({ id, title: id }))).status, 201);
const all = async (url: string) => ((await ask(url)).json as { notes: { id: string; tags: string[] }[] }).notes;

/** Another process that tries to take WAL mode away from whoever is live; what it was told. */
function leaveWal(database: string): string {
  const { stdout, stderr } = spawnSync("sqlite3", [database, "PRAGMA journal_mode=DELETE;"], { encoding: "utf8" });
  return stdout.trim() || stderr.trim();
}

for (const runtime of ["node", "bun"] as const) {
  test(`${runtime}: upgrades what the old release left, serves it, and is ready at once the next time`, async () => {
    const directory = scratch();
    const database = copySet(join(old, "data.db"), directory);
    const daemon = await boot(runtime, program("daemon/main.js"), directory);
    const [first, second] = daemon.lines;
    const backup = /^Migrated local data to v2; moved old DB to (.*[\\/]data\.db\.v1-v2-\d{13}-[0-9a-f]{8})$/.exec(first ?? "")?.[1];
    assert.ok(backup, String(first));
    assert.match(second ?? "", /^READY:\d+$/);
    assert.deepEqual(differences(facts(join(old, "data.db")), facts(backup)), []);
    const notes = await all(daemon.url);
    const expected = shell(backup, "SELECT id || ' ' || tags FROM notes ORDER BY created_ms;");
    assert.equal(notes.length, 250);
    assert.deepEqual(notes.map(({ id, tags }) => `${id} ${tags.sort().reverse().join(",")}`), expected);

    const refused = spawnSync(RUNTIMES[runtime], [program("daemon/main.js"), directory], { encoding: "utf8" });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /owns this database.*\[cutover:OWNED\]/);

    await add(daemon.url, "new");
    assert.equal(await stop(daemon), 0);
    const again = await boot(runtime, program("daemon/main.js"), directory);
    assert.deepEqual(again.lines.slice(0, -1), ["Local data is already v2"]);
    assert.equal((await all(again.url)).length, 251);
    assert.equal(await stop(again), 0);
    assert.deepEqual(
      readdirSync(directory).filter((name) => !/^data\.db($|-wal$|-shm$|\.v1-v2-|\.(owner|cutover)-lock(-journal)?$)/.test(name)),
      [],
    );
    assert.ok(existsSync(database));
  });

  // [9b] The field fails this every time.
  test(`${runtime}: after the upgrade another process cannot take WAL mode from the live daemon, and sees its every row`, async () => {
    const directory = scratch();
    const database = copySet(join(old, "data.db"), directory);
    const daemon = await boot(runtime, program("daemon/main.js"), directory);
    assert.ok(existsSync(`${database}-shm`));
    await add(daemon.url, "before");
    assert.match(leaveWal(database), /locked|^wal$/);
    await add(daemon.url, "after");
    assert.deepEqual(shell(database, "SELECT id FROM note WHERE created_ms = 0 ORDER BY id;"), ["after", "before"]);
    await stop(daemon, "SIGKILL");
    assert.deepEqual(shell(database, "SELECT id FROM note WHERE created_ms = 0 ORDER BY id;"), ["after", "before"]);
  });
}

// On Windows the rename itself fails: see tests/windows/incident.test.ts.
if (!onWindows) test("control: a staging file that a closed connection still holds, renamed into place by hand, fails exactly that", async () => {
  const directory = scratch();
  const database = copySet(join(old, "data.db"), directory);
  shell(database, "PRAGMA journal_mode=DELETE;");
  shell(`${database}.building`, "PRAGMA journal_mode=WAL; CREATE TABLE t(x); DROP TABLE t;");
  const daemon = await boot("node", program("node/by-hand.js"), directory);
  await add(daemon.url, "before");
  assert.equal(leaveWal(database), "delete");
  await add(daemon.url, "after");
  assert.deepEqual(shell(database, "SELECT id FROM note WHERE created_ms = 0 AND id = 'after';"), []);
  await stop(daemon, "SIGKILL");
});
