// A process of a sweep: it runs one function of the scenario, with one fault.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { describe } from "../error.js";
import type { Event } from "../generated.js";
import type { Job, Json, MigrateOptions } from "../options.js";
import { Points, type Point } from "./points.js";
import type { CheckContext, Context, Scenario } from "./scenario.js";
import type { Line, Task } from "./task.js";
import { changed, tree } from "./tree.js";

const task = JSON.parse(process.argv[2] as string) as Task;
const { fault, directory, root } = task;
const say = (line: Line) => appendFileSync(task.record, `${JSON.stringify(line)}\n`);

/** Ends this process as a power button does: nothing after it runs. */
function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

/** Runs another function of the scenario in a process of its own, to its end. */
async function another(act: "start" | "write"): Promise<number | null> {
  const { fault: _, check: __, ...same } = task;
  // Its record is not read.
  const other: Task = { ...same, act, record: `${task.record}.${act}` };
  const args = [...process.execArgv, process.argv[1] as string, JSON.stringify(other)];
  const bound = { timeout: task.timeoutMs, killSignal: "SIGKILL" } as const;
  const child = spawn(process.execPath, args, { ...bound, stdio: ["ignore", 2, 2] });
  const [status] = (await once(child, "exit")) as [number | null];
  return status;
}

/** The kit, as the upgrade calls it. */
class Kit implements Context {
  readonly directory = directory;
  readonly #points = new Points();
  #plan: string | null = null;
  #holder: ChildProcess | undefined;
  #path: string | undefined;
  #written: { before: Map<string, string>; paths: string[] } | undefined;

  onEvent = async (event: Event): Promise<void> => {
    if (event.type === "plan") this.#plan = event.kind;
    if (event.type === "wait") await this.letGo();
    if (event.type === "step" && event.op === "look" && event.file) this.#found(event.file);
    const point = this.#points.of(event);
    if (point) await this.#at(point);
  };

  options = <S extends Json, R extends Json>(own: MigrateOptions<S, R>): MigrateOptions<S, R> => {
    this.#found(own.path);
    say({ callbacks: true });
    const { detect, make, verify, undo, cleanup } = own;
    const run = make.run;
    return {
      ...own,
      onEvent: async (event) => {
        await this.onEvent(event);
        await own.onEvent?.(event);
      },
      detect: typeof detect === "function" ? (db) => this.#in("detect", () => detect(db)) : detect,
      make:
        typeof run === "function"
          ? { ...make, run: (job) => this.#build(() => run(this.#job(job))) }
          : make,
      ...(verify && { verify: (v2) => this.#in("verify", () => verify.call(own, v2)) }),
      ...(undo && { undo: (state, at) => this.#in("undo", () => undo.call(own, state, at)) }),
      ...(cleanup && { cleanup: (state, at) => this.#in("cleanup", () => cleanup.call(own, state, at)) }),
    };
  };

  #found(path: string): void {
    if (this.#path === undefined) say({ path });
    this.#path ??= path;
  }

  /** A process that has the database open, from now to the first wait. */
  async hold(path: string): Promise<void> {
    const program = `require("node:fs").openSync(${JSON.stringify(path)}, "r+"); console.log("open"); process.stdin.on("end", () => process.exit()).resume();`;
    this.#holder = spawn(process.execPath, ["-e", program], { stdio: ["pipe", "pipe", "inherit"] });
    await once(this.#holder.stdout as NonNullable<ChildProcess["stdout"]>, "data");
  }

  async letGo(): Promise<void> {
    const holder = this.#holder;
    this.#holder = undefined;
    if (!holder) return;
    const gone = once(holder, "exit");
    holder.stdin?.end();
    await gone;
  }

  async #at(point: Point): Promise<void> {
    say({ point, plan: this.#plan });
    if (fault === undefined || fault.kind === "held" || fault.at !== point) return;
    if (fault.kind === "kill") await die();
    if (fault.kind === "throw") throw new Error(`the sweep throws ${point}`);
    const status = await another(fault.kind === "second" ? "start" : "write");
    // The other start may be refused, but it must not break anything.
    if (fault.kind === "write" && status !== 0) say({ failed: "it failed; see above", in: "write" });
  }

  async #in<T>(callback: string, call: () => T | Promise<T>): Promise<T> {
    say({ begins: callback });
    let result: T;
    try {
      result = await call();
    } catch (error) {
      say({ threw: text(error), callback });
      throw error;
    } finally {
      say({ settles: callback });
    }
    await this.#at(this.#points.in(callback));
    return result;
  }

  /** A build that fails is compared with what it leaves; no other need be. */
  async #build<T>(call: () => T | Promise<T>): Promise<T> {
    if (fault?.kind !== "throw") return await this.#in("build", call);
    const path = this.#path as string;
    const before = tree(root, path);
    return await this.#in("build", async () => {
      const built = await call();
      this.#written = { before, paths: changed(before, tree(root, path)) };
      return built;
    });
  }

  /** After a failed start: what its build changed, and did not change back. */
  left(): string[] {
    if (!this.#written) return [];
    const { before, paths } = this.#written;
    const still = new Set(changed(before, tree(root, this.#path as string)));
    return paths.filter((path) => still.has(path));
  }

  /** Each answer that a build awaits of its job is a point. */
  #job<S extends Json>(job: Job<S>): Job<S> {
    const then = async <T>(asked: Promise<T>): Promise<T> => {
      const answer = await asked;
      await this.#at(this.#points.in("build"));
      return answer;
    };
    return {
      ...job,
      source: () => then(job.source()),
      saveState: (state) => then(job.saveState(state)),
      companion: (name) => {
        const companion = job.companion(name);
        return { ...companion, write: (data) => then(companion.write(data)) };
      },
    };
  }
}

const text = (error: unknown) =>
  error instanceof Error && error.stack && error.name === "AssertionError"
    ? `${describe(error)} ${/\n( +at [^\n]+)/.exec(error.stack)?.[1] ?? ""}`
    : describe(error);

async function main(): Promise<void> {
  const scenario = (await import(task.scenario)) as Scenario;
  if (task.act === "seed") {
    await scenario.seed(directory);
    if (scenario.write) say({ writes: true });
    say({ ended: true });
    return die();
  }
  if (task.act === "write") return void (await scenario.write?.(directory));
  const kit = new Kit();
  let step = "start";
  try {
    if (fault?.kind === "held") await kit.hold(fault.path);
    let result: unknown;
    try {
      result = await scenario.start(kit);
    } finally {
      await kit.letGo();
    }
    step = "check";
    const given: CheckContext = { directory, result, wrote: task.wrote ?? false };
    if (task.check) await scenario.check(given);
    say({ ended: true });
  } catch (error) {
    if (fault?.kind === "throw") say({ outside: kit.left() });
    say({ failed: text(error), in: step });
    process.exitCode = 1;
  }
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    say({ failed: text(error), in: task.act });
    process.exit(1);
  },
);
