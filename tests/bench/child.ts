// What is measured in a process of its own: `child.js WORK JSON`. It imports nothing of cutover
// before the work does. The last line is what it measured, as JSON.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Event, Job, MigrateOptions } from "cutover";
import * as peer from "./peers.js";
import type { Input, Output } from "./rounds.js";
import { toV2 } from "./v1.js";

const { time } = peer;

const options = (path: string): MigrateOptions => ({
  path,
  label: "v1-v2",
  detect: { userVersion: 2 },
  make: { from: "empty", run: { sql: toV2("v1.notes") } },
});

/** When each event came. */
class Clock {
  readonly #told: { at: number; name: string; event?: Event }[] = [];

  readonly note = (event: Event): void => {
    const name =
      event.type === "phase" ? event.phase : event.type === "step" ? event.op : event.type;
    this.mark(name, event);
  };

  mark(name: string, event?: Event): void {
    this.#told.push({ at: performance.now(), name, ...(event && { event }) });
  }

  facts(): Required<Pick<Output, "ops" | "silence" | "flipMs">> {
    const ops: Record<string, number> = {};
    let silence = { ms: 0, after: "" };
    const steps = this.#told.filter(({ event }) => event?.type !== "progress");
    for (const [at, { name, event, at: began }] of steps.entries()) {
      const next = steps[at + 1];
      if (event?.type === "step" && next) ops[name] = (ops[name] ?? 0) + next.at - began;
    }
    let op = "the call";
    for (const [at, told] of this.#told.entries()) {
      if (told.event?.type === "step") op = told.name;
      const next = this.#told[at + 1];
      if (next && next.at - told.at > silence.ms) silence = { ms: next.at - told.at, after: op };
    }
    const phase = (name: string) => this.#told.find((told) => told.name === name)?.at ?? NaN;
    return { ops, silence, flipMs: phase("committed") - phase("built") };
  }
}

async function migrate(input: Input, more: Partial<MigrateOptions> = {}): Promise<Output> {
  const cutover = await import("cutover");
  // Loads the addon, as an import of libSQL loads its own.
  await cutover.inspect(join(dirname(input.path), "none.db"));
  const clock = new Clock();
  const ms = await time(async () => {
    clock.mark("call");
    const { outcome } = await cutover.migrate({
      ...options(input.path),
      checkV1: input.checkV1 ?? true,
      onEvent: clock.note,
      ...more,
    });
    clock.mark("end");
    if (outcome !== "migrated") throw new Error(`the outcome is ${outcome}`);
  });
  return { ms, ...clock.facts() };
}

async function callback(input: Input): Promise<Output> {
  // Loaded before the call, as in `peer.application`.
  await import("@libsql/client");
  let callbackMs = 0;
  const run = async (job: Job) => {
    const source = await job.source();
    callbackMs = await time(() => peer.insertRows(source, job.staging, input.rowBytes ?? 1024));
    return { expect: { note: input.rows ?? 0 } };
  };
  return { ...(await migrate(input, { make: { from: "empty", run } })), callbackMs };
}

/** A build by callback that writes each companion. */
function companions(input: Input): Promise<Output> {
  const names = Array.from({ length: input.companions ?? 0 }, (_, n) => `c${n}`);
  const run = async (job: Job) => {
    await peer.insertRows(await job.source(), job.staging, input.rowBytes ?? 1024);
    for (const name of names) await job.companion(name).write("the content of v2");
  };
  const folder = dirname(input.path);
  return migrate(input, {
    make: { from: "empty", run },
    companions: Object.fromEntries(names.map((name) => [name, join(folder, `${name}.json`)])),
  });
}

/** From the abort to the rejection. */
async function abort(input: Input): Promise<Output> {
  const { migrate } = await import("cutover");
  const controller = new AbortController();
  let aborted = NaN;
  const onEvent = (event: Event) => {
    if (event.type !== "step" || event.op !== input.abort?.op) return;
    setTimeout(() => {
      aborted = performance.now();
      controller.abort();
    }, input.abort.afterMs);
  };
  try {
    await migrate({ ...options(input.path), signal: controller.signal, onEvent });
  } catch (error) {
    if ((error as { code?: string }).code !== "ABORTED") throw error;
    return { ms: performance.now() - aborted };
  }
  throw new Error("the upgrade ended before the abort");
}

const CALLS = 200;

async function calls(call: () => unknown): Promise<Output> {
  for (let n = 0; n < 20; n += 1) await call();
  const all = [];
  for (let n = 0; n < CALLS; n += 1) all.push(await time(call));
  return { ms: NaN, all };
}

async function start(input: Input): Promise<Output> {
  const { lock, migrate } = await import("cutover");
  const owner = input.lock ? { lock: await lock(input.path) } : {};
  return calls(async () => {
    const { outcome } = await migrate({ ...options(input.path), ...owner });
    if (outcome !== "current") throw new Error(`the outcome is ${outcome}`);
  });
}

async function startLibsql({ path }: Input): Promise<Output> {
  const { createClient } = await import("@libsql/client");
  return calls(async () => {
    const db = createClient({ url: pathToFileURL(path).href });
    const { rows } = await db.execute("PRAGMA user_version");
    db.close();
    if (rows[0]?.user_version !== 2) throw new Error("not a v2");
  });
}

async function startBetter({ path, folder = "" }: Input): Promise<Output> {
  const { Database } = peer.peers(folder);
  return calls(() => {
    const db = new Database(path);
    const version = db.pragma("user_version", { simple: true });
    db.close();
    if (version !== 2) throw new Error("not a v2");
  });
}

async function importAlone(): Promise<Output> {
  return { ms: await time(() => import("cutover")) };
}

/** The import, and a first call, which loads the addon. */
async function firstCall({ path }: Input): Promise<Output> {
  return { ms: await time(async () => (await import("cutover")).migrate(options(path))) };
}

/** On Linux `getrusage` counts what the parent had when it forked; the status does not. */
function peakKb(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

const works: Record<string, (input: Input) => Promise<Output>> = {
  sql: migrate,
  callback,
  companions,
  abort,
  start,
  startLibsql,
  startBetter,
  importAlone,
  firstCall,
  nothing: () => Promise.resolve({ ms: 0 }),
  shellSql: peer.shellSql,
  vacuumInto: peer.vacuumInto,
  backupOver: peer.backupOver,
  copy: peer.copy,
  application: peer.application,
  drizzleInPlace: peer.drizzleInPlace,
};

const [work, json] = process.argv.slice(2);
const run = works[work ?? ""];
if (!run || !json) throw new Error(`usage: child.js ${Object.keys(works).join("|")} JSON`);
const output = await run(JSON.parse(json) as Input);
console.log(JSON.stringify({ peakKb: peakKb(), ...output }));
