/**
 * The pure functions: they read and judge what they are given, and touch no disk. `cutover-wasm` has the same for browsers, under the same names.
 *
 * @module
 */
import { opened } from "./error.js";
import { planText } from "./migrate.js";
import { native } from "./native.js";
import type {
  CrashMatrix,
  DatabaseHeader,
  Diagnosis,
  Dropped,
  DroppedFile,
  Finding,
  Lanes,
  Observation,
  Plan,
  Progress,
  Question,
  Request,
  Wal,
} from "./generated.js";

export { CutoverError, explainError } from "./error.js";
export type * from "./generated.js";

/** A database's log, whole or in pieces. */
export type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * The plan of a migration, for what an observation shows.
 *
 * @throws {@link CutoverError} when nothing may be done; `TypeError` when an argument is not what it must be.
 */
export function plan(observation: Observation, request: Request): Plan {
  return opened(native.plan(JSON.stringify(observation), JSON.stringify(request)));
}

/**
 * What must be done before anything else; `null` where there is nothing to recover.
 *
 * @throws As {@link plan}.
 */
export function planRecovery(observation: Observation, { label, nonce }: { label: string; nonce: string }): Plan | null {
  return opened(native.planRecovery(JSON.stringify(observation), label, nonce));
}

/** Judges a plan, held against the directory that it is for where an observation of it is given. Empty when it is sound. */
export function validatePlan(plan: Plan | string, target?: Observation): Finding[] {
  return opened(native.validatePlan(planText(plan), target && JSON.stringify(target)));
}

/**
 * Reads the header of a database from its first bytes: 100 at least, the whole first page for its digest. `size` is the file's, in bytes.
 *
 * @throws {@link CutoverError} `NOT_A_DATABASE`, with what the bytes seem to be.
 */
export function readDatabaseHeader(bytes: Uint8Array, size?: number): DatabaseHeader {
  return opened(native.readDatabaseHeader(bytes, size));
}

/** Reads a write-ahead log, whole or in pieces. `shm` is the head of the `-shm` beside it, which says how much is in the database already. */
export async function readWal(log: Bytes, shm?: Uint8Array): Promise<Wal> {
  const reader = new native.WalReader(shm);
  if (log instanceof Uint8Array) reader.feed(log);
  else for await (const piece of log) reader.feed(piece);
  return opened(reader.finish());
}

/** What was dropped or pasted: a text, or files. What is left out is not there. */
export type Given = Partial<Omit<Dropped, "files">> & { files?: (Pick<DroppedFile, "name" | "size"> & Partial<DroppedFile>)[] };

/** Judges whatever was dropped or pasted. Nothing in it is trusted. */
export function diagnose(dropped: Given): Diagnosis {
  return opened(native.diagnose(JSON.stringify(dropped)));
}

/**
 * What each file holds, and what of it a power loss cannot take, after each step of the plan in what is given, or of the one that the next start would
 * perform; `null` where there is none. `stagingHeld`: a closed connection still holds what the application built.
 */
export function planLanes(given: Given, { stagingHeld = false }: { stagingHeld?: boolean } = {}): Lanes | null {
  return opened(native.planLanes(JSON.stringify(given), stagingHeld));
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
  const exploration = begun(question);
  for (;;) {
    signal?.throwIfAborted();
    const progress = opened<Progress>(exploration.on(64));
    onProgress?.(progress);
    if (progress.done === progress.total) return opened(exploration.matrix());
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function begun(question: Question) {
  try {
    return new native.Exploration(JSON.stringify(question));
  } catch (error) {
    return opened<never>((error as Error).message);
  }
}

/** Tells one crash of a {@link CrashMatrix}, line by line: what the start did, what was left, what the next start makes of it. */
export async function replayCrash(line: string): Promise<string[] | null> {
  return opened(native.replayCrash(line));
}
