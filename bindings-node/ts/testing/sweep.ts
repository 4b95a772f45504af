// The sweep: tries each case in a copy of the seed, a few at once.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { checkFields, refuse, text, whole, type Check } from "../check.js";
import { describe } from "../error.js";
import { doctor } from "../doctor.js";
import { inspect } from "../inspect.js";
import { diagnose } from "../pure/diagnose.js";
import { kills, others, twice, type Case } from "./cases.js";
import { run, type Run } from "./run.js";
import { table, type SweepReport, type Tried } from "./report.js";
import type { Fault, Line, Task } from "./task.js";

/** The options of {@link sweep}. */
export interface SweepOptions {
  /** The module of the scenario: `new URL("./scenario.ts", import.meta.url)`, or an absolute path. */
  scenario: URL | string;
  /**
   * One case, as a table names it; no other is tried, and the folder of one that fails stays.
   * Default: the environment's CUTOVER_REPLAY, else every case.
   */
  only?: string;
  /** The most time that one process of the sweep takes, milliseconds. Default: 60000. */
  timeoutMs?: number;
}

/**
 * Proves an application's upgrade. It runs the scenario's `start` in processes of their own: killed
 * before each step, in each callback, and again at each step of a recovery; with a callback that throws, a
 * database that another process holds, two starts at once, and another program that writes. After
 * each the next start must succeed, `check` must accept the data, `doctor` must find the data
 * safe, and no file of an unfinished upgrade may be left.
 *
 * It prints a table. If the upgrade fails without a fault, no fault is tried.
 *
 * @throws `Error` with the table as its message, and the `report`, where anything failed.
 * @throws `TypeError` An option is wrong.
 */
export async function sweep(options: SweepOptions): Promise<SweepReport> {
  const bound = whole(1, 2 ** 31 - 1);
  checkFields("options", options, { scenario: named, "only?": text, "timeoutMs?": bound });
  const { only = process.env.CUTOVER_REPLAY || undefined, timeoutMs = 60_000 } = options;
  const base = realpathSync(mkdtempSync(join(tmpdir(), "cutover-sweep-")));
  const trial = new Trial(url(options.scenario), base, timeoutMs, only !== undefined);
  try {
    await trial.seed();
    return await judged(trial, only);
  } finally {
    if (!trial.kept) remove(base);
  }
}

/** In Jest a test has another `URL` than this module. */
const named: Check = (value) =>
  typeof value === "string" || (typeof value === "object" && value !== null && "href" in value)
    ? undefined
    : "a URL or a path";

function url(scenario: URL | string): string {
  if (typeof scenario !== "string") return scenario.href;
  if (scenario.startsWith("file:")) return scenario;
  if (!isAbsolute(scenario)) refuse("options.scenario", "a URL or an absolute path", scenario);
  return pathToFileURL(scenario).href;
}

/** A folder that a scanner still holds takes nothing from what was found. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    console.warn(`cutover sweep: ${folder} cannot be removed: ${describe(error)}; remove it yourself`);
  }
}

async function judged(trial: Trial, only: string | undefined): Promise<SweepReport> {
  const plain = await trial.attempt({ id: "plain", group: "plain", faults: [] });
  const points = [plain.tried];
  const notTried: SweepReport["notTried"] = [];
  if (plain.tried.failure === null) {
    const { lines } = plain;
    const all = async (cases: Case[]) => {
      const asked = cases.filter(({ id }) => only === undefined || id === only);
      const done = await pooled(asked, (one) => trial.attempt(one));
      points.push(...done.map(({ tried }) => tried));
      return done;
    };
    const rest = others(lines, trial.path as string, trial.writes);
    if (only?.includes("+")) {
      const at = only.split("+") as Extract<Fault, { kind: "kill" }>["at"][];
      const faults = at.map((at): Fault => ({ kind: "kill", at }));
      await all([{ id: only, group: "twice", faults }]);
    } else {
      const first = await all(kills(lines));
      const recovered = first.filter(({ tried }) => tried.failure === null);
      if (only === undefined)
        await all(twice(recovered.map(({ one, lines }) => ({ first: one, lines }))));
      await all(rest);
    }
    if (only !== undefined && only !== "plain" && points.length === 1)
      throw new Error(`sweep has no case ${only}; it has ${[...kills(lines), ...rest].map(({ id }) => id).join(", ")}, and two points joined by +`);
    notTried.push(...untried(lines, rest));
  } else notTried.push({ what: "every fault", why: "the upgrade fails without one" });
  const { bun, node } = process.versions;
  const failures = points.filter(({ failure }) => failure !== null);
  const runtime = bun ? `Bun ${bun}` : `Node ${node}`;
  const report = { scenario: trial.scenario, runtime, points, failures, notTried };
  const said = table(report);
  console.log(said);
  const swept = { ...report, table: said };
  if (failures.length > 0) throw Object.assign(new Error(said), { report: swept });
  return swept;
}

function untried(plain: Line[], rest: Case[]): SweepReport["notTried"] {
  const tries = (group: string) => rest.some((one) => one.group === group);
  const all = [
    {
      what: "kills in callbacks",
      why: "start does not pass its options through context.options",
      tried: plain.some((line) => "callbacks" in line),
    },
    { what: "a build that throws", why: "no callback that builds went through context.options", tried: tries("throws") },
    { what: "another program writes to v1", why: "the scenario exports no write", tried: tries("write") },
    {
      what: "a full disk and a failing flush",
      why: "they need a test build of the addon, which this release does not have",
      tried: false,
    },
  ];
  return all.filter(({ tried }) => !tried).map(({ what, why }) => ({ what, why }));
}

/** Runs a function for each, as many at once as there are cores. The results are in order. */
async function pooled<T, U>(items: T[], each: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [at, item] of queue) results[at] = await each(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

/** Tries cases of one scenario below one folder. */
class Trial {
  /** The database, relative to its case's folder. */
  path: string | undefined;
  /** Whether the folder of a case stays. */
  kept = false;
  /** Whether the scenario can write to v1. */
  writes = false;
  #count = 0;

  constructor(
    readonly scenario: string,
    readonly base: string,
    readonly timeoutMs: number,
    readonly keeps: boolean,
  ) {}

  async seed(): Promise<void> {
    const root = join(this.base, "seed");
    mkdirSync(join(root, "app"), { recursive: true });
    const seeded = await this.#run("seed", root);
    if (!seeded.ended) throw new Error(`sweep of ${this.scenario}: ${seeded.failed}\n${seeded.printed}`);
    this.writes = seeded.lines.some((line) => "writes" in line);
  }

  async attempt(one: Case): Promise<{ one: Case; tried: Tried; lines: Line[] }> {
    const root = join(this.base, `case-${++this.#count}`);
    cpSync(join(this.base, "seed"), root, { recursive: true, verbatimSymlinks: true });
    const { id, group, faults } = one;
    let last: Run | undefined;
    let failure: string | null = null;
    const wrote = faults.some(({ kind }) => kind === "write");
    for (const fault of faults) {
      const path = join(root, this.path as string);
      last = await this.#run("start", root, { fault: fault.kind === "held" ? { ...fault, path } : fault });
      failure = misses(fault, last);
      if (failure) break;
    }
    if (failure === null) {
      last = await this.#run("start", root, { check: true, wrote });
      failure = last.ended ? await this.#status(root, last) : last.failed;
      if (failure !== null && faults.length > 0) failure = `in the next start: ${failure}`;
    }
    if (failure !== null && this.keeps) {
      this.kept = true;
      failure += `; the folder stays: ${root}`;
    } else remove(root);
    const printed = failure === null ? "" : (last?.printed ?? "");
    return { one, tried: { id, group, failure, printed }, lines: last?.lines ?? [] };
  }

  /** What cutover itself says of the data. */
  async #status(root: string, { lines }: Run): Promise<string | null> {
    const threw = lines.find((line) => "threw" in line);
    if (threw) return `the application's ${threw.callback} failed: ${threw.threw}`;
    const found = lines.find((line) => "path" in line);
    if (found) this.path ??= relative(root, found.path);
    if (this.path === undefined)
      return "start did not call migrate with context.options(…), or with context.onEvent as onEvent";
    const path = join(root, this.path);
    try {
      const { safety, because } = diagnose({ text: JSON.stringify(await doctor(path)) });
      if (safety !== "safe") return `cutover's status says ${safety}: ${because}`;
      const { journals, leftovers } = await inspect(path);
      const names = [...journals, ...Object.keys(leftovers)];
      return names.length > 0 ? `files of an unfinished upgrade are left: ${names.join(", ")}` : null;
    } catch (error) {
      return `cutover's status failed: ${describe(error)}`;
    }
  }

  #run(act: Task["act"], root: string, more: Partial<Task> = {}): Promise<Run> {
    const record = join(this.base, `record-${++this.#count}`);
    const { scenario, timeoutMs } = this;
    return run({ scenario, act, root, directory: join(root, "app"), record, timeoutMs, ...more });
  }
}

/** What is wrong with a start that had a fault. */
function misses(fault: Fault, { lines, ended, failed }: Run): string | null {
  const late = failed.includes(" did not settle");
  if (late) return failed;
  if (fault.kind === "held") return ended ? null : failed;
  const came = lines.some((line) => "point" in line && line.point === fault.at);
  if (!came) return `this start did not come to ${fault.at}${ended ? "" : `: ${failed}`}`;
  switch (fault.kind) {
    case "kill":
      return ended || lines.some((line) => "failed" in line) ? `the kill at ${fault.at} had no effect` : null;
    case "throw": {
      const outside = lines.flatMap((line) => ("outside" in line ? line.outside : []));
      return outside.length > 0
        ? `a failed build was undone, but what it wrote outside v2 is still there: ${outside.join(", ")}; declare it in companions and write it through job.companion, or put it back in undo`
        : null;
    }
    default:
      return lines.some((line) => "failed" in line) || !ended ? failed : null;
  }
}
