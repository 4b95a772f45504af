// Ctrl-C.
import { CutoverError } from "../error.js";
import { inspect } from "../inspect.js";
import { exitCodes, Refusal } from "./exit.js";
import type { Output } from "./output.js";
import type { Progress } from "./progress.js";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Does work that Ctrl-C and `also` stop through a signal, and says what a stopped verb left. After
 * the first Ctrl-C the system's own handling is back: a second one ends the process.
 */
export async function stoppable<T>(
  path: string,
  also: AbortSignal | undefined,
  output: Output,
  progress: Progress,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => controller.abort(also?.reason);
  if (also?.aborted) abort();
  also?.addEventListener("abort", abort);
  const stop = () => {
    for (const name of SIGNALS) process.off(name, stop);
    progress.end();
    output.say("stopping; a second Ctrl-C ends this process at once, which loses nothing");
    controller.abort(new Error("the verb was stopped"));
  };
  for (const name of SIGNALS) process.on(name, stop);
  try {
    return await work(signal);
  } catch (error) {
    progress.end();
    if (error instanceof CutoverError && error.code === "ABORTED") {
      for (const line of await left(path)) output.say(line);
    } else if (signal.aborted && error === signal.reason) {
      throw new Refusal(exitCodes.stopped, "stopped");
    }
    throw error;
  } finally {
    for (const name of SIGNALS) process.off(name, stop);
    also?.removeEventListener("abort", abort);
  }
}

/** The files that a stopped verb left for the next start. */
async function left(path: string): Promise<string[]> {
  const { journals, leftovers } = await inspect(path);
  const files = [...new Set([...journals, ...Object.keys(leftovers)])];
  return files.length === 0
    ? ["Nothing is left behind."]
    : [
        "Left for the next start, which finishes or removes it:",
        ...files.map((file) => `  ${file}`),
      ];
}
