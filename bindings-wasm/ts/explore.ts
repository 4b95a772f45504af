// The explorer runs in a worker of its own, which ends with the answer, or when it is aborted.
import { opened } from "./error.js";
import type { CrashMatrix, Progress, Question } from "./generated.js";

/** What the worker is asked. */
export type Task = { question: string } | { replay: string };
/** What it says: how far it is, then the answer. */
export type Said = { progress: string } | { answer: string } | { broken: string };

interface Thread {
  postMessage(task: Task): void;
  terminate(): unknown;
}

/**
 * Explores every crash of a plan: for each step and each way to stop, how many states it may leave and how many of them are bad.
 *
 * @throws The signal's reason when it is aborted; `TypeError` when there is no such plan.
 */
export async function explore(
  question: Question,
  { onProgress, signal }: { onProgress?: (progress: Progress) => void; signal?: AbortSignal } = {},
): Promise<CrashMatrix> {
  return opened(await ask({ question: JSON.stringify(question) }, onProgress, signal));
}

/** Tells one crash of a {@link CrashMatrix}, line by line: what the start did, what was left, what the next start makes of it. */
export async function replayCrash(line: string): Promise<string[] | null> {
  return opened(await ask({ replay: line }));
}

async function ask(task: Task, onProgress?: (progress: Progress) => void, signal?: AbortSignal): Promise<string> {
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
    const { Worker } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ threads)) as typeof import("node:worker_threads");
    const thread = new Worker(new URL("./worker.js", import.meta.url));
    return thread.on("message", hear).on("error", fail);
  }
  const thread = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  thread.onmessage = ({ data }: MessageEvent<Said>) => hear(data);
  thread.onerror = ({ message }) => fail(new Error(message || "the worker could not be started"));
  return thread;
}
