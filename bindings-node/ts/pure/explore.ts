// The crash explorer, and the picture of a plan.
import { opened } from "../error.js";
import type { Given } from "./diagnose.js";
import type { CrashMatrix, Lanes, Progress, Question } from "../generated.js";
import { explorer } from "../wasm.js";

/** Starts between two reports of progress. */
const STARTS = 64;

/**
 * Runs a plan without a crash and says, after each step, what each file holds and what of it
 * survives a power loss. The plan is the one in `given`, or the one that the next start would
 * perform; `null` when there is no plan. `stagingHeld`: a leaked connection still holds the file
 * that the application built.
 *
 * @throws `TypeError` when `given` has a member that {@link Given} does not have.
 */
export function planLanes(
  given: Given,
  { stagingHeld = false }: { stagingHeld?: boolean } = {},
): Lanes | null {
  return opened(explorer().planLanes(JSON.stringify(given), stagingHeld));
}

/**
 * Explores every crash of a plan, and yields to the event loop often. For each step and each kind
 * of crash it counts the states that the crash may leave, and how many of them are bad.
 *
 * @throws The reason of `signal` when it is aborted; `TypeError` when there is no such plan.
 */
export async function explore(
  question: Question,
  { onProgress, signal }: { onProgress?: (progress: Progress) => void; signal?: AbortSignal } = {},
): Promise<CrashMatrix> {
  const exploration = begun(question);
  try {
    for (;;) {
      signal?.throwIfAborted();
      const progress = opened<Progress>(exploration.on(STARTS));
      onProgress?.(progress);
      if (progress.done === progress.total) return opened(exploration.matrix());
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    exploration.free();
  }
}

function begun(question: Question) {
  try {
    return new (explorer().Exploration)(JSON.stringify(question));
  } catch (error) {
    // It throws the answer that refuses a question, as text.
    if (typeof error === "string") return opened<never>(error);
    throw error;
  }
}

/**
 * Tells one crash of a {@link CrashMatrix}, line by line: what the start did, what the crash left,
 * and what the next start did with it. `null` when `line` names no crash.
 */
export async function replayCrash(line: string): Promise<string[] | null> {
  return opened(explorer().replayCrash(line));
}
