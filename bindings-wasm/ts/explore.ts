/**
 * The crash explorer, and the picture of a plan. Nothing leaves the page. The first call loads the
 * module of WebAssembly.
 *
 * @module
 */
import { opened } from "./error.js";
import { once, type Source } from "./module.js";
import init, * as wasm from "./wasm/cutover_wasm_explorer.js";
import type { Given } from "./diagnose.js";
import type { CrashMatrix, Lanes, Progress, Question } from "./generated.js";

export { CutoverError } from "./error.js";
export type { Given } from "./diagnose.js";
export type { Source } from "./module.js";
export type * from "./generated.js";

/** The task of the worker. */
export type Task = { question: string } | { replay: string };
/** What the worker answers: its progress, then the answer. */
export type Said = { progress: string } | { answer: string } | { broken: string };

interface Thread {
  postMessage(task: Task): void;
  terminate(): unknown;
}

/**
 * Loads the module of {@link planLanes} before its first call needs it. `source` says where the
 * bytes of the module are; without it they are read beside this file. The worker of {@link explore}
 * always reads them beside this file.
 *
 * @throws What `fetch` or `WebAssembly` throws. Then the next call tries again.
 */
export const load: (source?: Source) => Promise<void> = once(
  init,
  new URL("./wasm/cutover_wasm_explorer_bg.wasm", import.meta.url),
);

/**
 * Runs a plan without a crash and says, after each step, what each file holds and what of it
 * survives a power loss. The plan is the one in `given`, or the one that the next start would
 * perform; `null` when there is no plan. `stagingHeld`: a leaked connection still holds the file
 * that the application built.
 *
 * @throws `TypeError` when `given` has a member that {@link Given} does not have.
 */
export async function planLanes(
  given: Given,
  { stagingHeld = false }: { stagingHeld?: boolean } = {},
): Promise<Lanes | null> {
  await load();
  return opened(wasm.planLanes(JSON.stringify(given), stagingHeld));
}

/**
 * Explores every crash of a plan, in a worker of its own. For each step and each kind of crash it
 * counts the states that the crash may leave, and how many of them are bad.
 *
 * @throws The reason of `signal` when it is aborted; `TypeError` when there is no such plan.
 */
export async function explore(
  question: Question,
  { onProgress, signal }: { onProgress?: (progress: Progress) => void; signal?: AbortSignal } = {},
): Promise<CrashMatrix> {
  return opened(await ask({ question: JSON.stringify(question) }, onProgress, signal));
}

/**
 * Tells one crash of a {@link CrashMatrix}, line by line: what the start did, what the crash left,
 * and what the next start did with it. `null` when `line` names no crash.
 */
export async function replayCrash(line: string): Promise<string[] | null> {
  return opened(await ask({ replay: line }));
}

async function ask(
  task: Task,
  onProgress?: (progress: Progress) => void,
  signal?: AbortSignal,
): Promise<string> {
  signal?.throwIfAborted();
  let end = () => {};
  try {
    return await new Promise<string>((resolve, reject) => {
      const hear = (said: Said) => {
        if ("answer" in said) resolve(said.answer);
        else if ("broken" in said) reject(new Error(said.broken));
        else onProgress?.(opened(said.progress));
      };
      const abort = () => reject(signal?.reason);
      signal?.addEventListener("abort", abort, { once: true });
      let thread: Thread | undefined;
      let ended = false;
      end = () => {
        ended = true;
        signal?.removeEventListener("abort", abort);
        thread?.terminate();
      };
      start(hear, reject).then((started) => {
        thread = started;
        if (ended) started.terminate();
        else started.postMessage(task);
      }, reject);
    });
  } finally {
    end();
  }
}

async function start(hear: (said: Said) => void, fail: (error: Error) => void): Promise<Thread> {
  if (typeof Worker === "undefined") {
    const threads = "node:worker_threads";
    const { Worker } = (await import(
      /* @vite-ignore */ /* webpackIgnore: true */ threads
    )) as typeof import("node:worker_threads");
    // A bundler must not see this worker either.
    const program = "./worker.js";
    const thread = new Worker(new URL(program, import.meta.url));
    return thread.on("message", hear).on("error", fail);
  }
  const thread = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  thread.onmessage = ({ data }: MessageEvent<Said>) => hear(data);
  thread.onerror = ({ message }) => fail(new Error(message || "the worker could not be started"));
  return thread;
}
