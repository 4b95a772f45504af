/**
 * The pure functions of cutover for browsers, workers and Node: they read and judge what they are given. Nothing leaves the page.
 *
 * Call {@link load} once; then they are as those of `cutover/pure`, under the same names.
 *
 * @module
 */
import { opened } from "./error.js";
import { begin, type Source } from "./module.js";
import init, * as wasm from "./wasm/cutover_wasm.js";
import type { DatabaseHeader, Diagnosis, Dropped, DroppedFile, Explanation, Finding, Lanes, Observation, Plan, Request, Wal } from "./generated.js";

export { CutoverError } from "./error.js";
export { explore, replayCrash } from "./explore.js";
export type { Source } from "./module.js";
export type * from "./generated.js";

/** A database's log, whole or in pieces. */
export type Bytes = Uint8Array | ReadableStream<Uint8Array> | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

let loading: Promise<void> | undefined;

/** Loads the module, once. `source` is where its bytes are, if not beside this file. `explore` and `replayCrash` load their own. */
export function load(source?: Source): Promise<void> {
  loading ??= begin(init, new URL("./wasm/cutover_wasm_bg.wasm", import.meta.url), source).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/**
 * The plan of a migration, for what an observation shows.
 *
 * @throws `CutoverError` when nothing may be done; `TypeError` when an argument is not what it must be.
 */
export function plan(observation: Observation, request: Request): Plan {
  return opened(wasm.plan(JSON.stringify(observation), JSON.stringify(request)));
}

/**
 * What must be done before anything else; `null` where there is nothing to recover.
 *
 * @throws As {@link plan}.
 */
export function planRecovery(observation: Observation, { label, nonce }: { label: string; nonce: string }): Plan | null {
  return opened(wasm.planRecovery(JSON.stringify(observation), label, nonce));
}

/** Judges a plan, held against the directory that it is for where an observation of it is given. Empty when it is sound. */
export function validatePlan(plan: Plan | string, target?: Observation): Finding[] {
  const text = typeof plan === "string" ? plan : (JSON.stringify(plan) ?? "");
  return opened(wasm.validatePlan(text, target && JSON.stringify(target)));
}

/** Explains a failure from its short code, `cutover:<code>…`, wherever in a text it stands. `null` when there is none. */
export function explainError(error: unknown): Explanation | null {
  return opened(wasm.explainError(error instanceof Error ? error.message : typeof error === "string" ? error : ""));
}

/**
 * Reads the header of a database from its first bytes: 100 at least, the whole first page for its digest. `size` is the file's, in bytes.
 *
 * @throws `CutoverError` `NOT_A_DATABASE`, with what the bytes seem to be.
 */
export function readDatabaseHeader(bytes: Uint8Array, size?: number): DatabaseHeader {
  return opened(wasm.readDatabaseHeader(bytes, size === undefined ? undefined : BigInt(size)));
}

/** Reads a write-ahead log, whole or in pieces. `shm` is the head of the `-shm` beside it, which says how much is in the database already. */
export async function readWal(log: Bytes, shm?: Uint8Array): Promise<Wal> {
  const reader = new wasm.WalReader(shm);
  if (log instanceof Uint8Array) reader.feed(log);
  else for await (const piece of pieces(log)) reader.feed(piece);
  return opened(reader.finish());
}

/** Not every browser can iterate a stream. */
async function* pieces(log: Exclude<Bytes, Uint8Array>): AsyncIterable<Uint8Array> {
  if (!("getReader" in log)) return yield* log;
  const reader = log.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}

/** What was dropped or pasted: a text, or files. What is left out is not there. */
export type Given = Partial<Omit<Dropped, "files">> & { files?: (Pick<DroppedFile, "name" | "size"> & Partial<DroppedFile>)[] };

/** Judges whatever was dropped or pasted. Nothing in it is trusted. */
export function diagnose(dropped: Given): Diagnosis {
  return opened(wasm.diagnose(JSON.stringify(dropped)));
}

/**
 * What each file holds, and what of it a power loss cannot take, after each step of the plan in what is given, or of the one that the next start would
 * perform; `null` where there is none. `stagingHeld`: a closed connection still holds what the application built.
 */
export function planLanes(given: Given, { stagingHeld = false }: { stagingHeld?: boolean } = {}): Lanes | null {
  return opened(wasm.planLanes(JSON.stringify(given), stagingHeld));
}
