/**
 * What a support person asks. Nothing leaves the page. The first call loads the module of
 * WebAssembly.
 *
 * @module
 */
import { opened } from "./error.js";
import { once, type Source } from "./module.js";
import init, * as wasm from "./wasm/cutover_wasm_diagnose.js";
import type { DatabaseHeader, Diagnosis, Dropped, DroppedFile, Wal } from "./generated.js";

export { CutoverError } from "./error.js";
export type { Source } from "./module.js";
export type * from "./generated.js";

/** A write-ahead log, whole or in pieces. */
export type Bytes =
  Uint8Array | ReadableStream<Uint8Array> | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * What a person dropped or pasted: a text, or files. A missing member means that it was not given.
 */
export type Given = Partial<Omit<Dropped, "files">> & {
  files?: (Pick<DroppedFile, "name" | "size"> & Partial<DroppedFile>)[];
};

/**
 * Loads the module of these functions before the first call needs it. `source` says where the bytes
 * of the module are; without it they are read beside this file.
 *
 * @throws What `fetch` or `WebAssembly` throws. Then the next call tries again.
 */
export const load: (source?: Source) => Promise<void> = once(
  init,
  new URL("./wasm/cutover_wasm_diagnose_bg.wasm", import.meta.url),
);

/**
 * Reads the header of a database from its first bytes. 100 bytes are enough; the digest needs the
 * whole first page. `size` is the size of the file in bytes.
 *
 * @throws `CutoverError` `NOT_A_DATABASE`, which says what the bytes seem to be.
 */
export async function readDatabaseHeader(
  bytes: Uint8Array,
  size?: number,
): Promise<DatabaseHeader> {
  await load();
  return opened(wasm.readDatabaseHeader(bytes, size === undefined ? undefined : BigInt(size)));
}

/**
 * Reads a write-ahead log, whole or in pieces. `shm` is the start of the `-shm` file beside the
 * log; it tells how much of the log SQLite has already copied into the database.
 *
 * @throws What `log` throws.
 */
export async function readWal(log: Bytes, shm?: Uint8Array): Promise<Wal> {
  await load();
  const reader = new wasm.WalReader(shm);
  if (log instanceof Uint8Array) reader.feed(log);
  else for await (const piece of pieces(log)) reader.feed(piece);
  return opened(reader.finish());
}

/** Some browsers cannot iterate a stream. */
async function* pieces(log: Exclude<Bytes, Uint8Array>): AsyncIterable<Uint8Array> {
  if (!("getReader" in log)) return yield* log;
  const reader = log.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}

/**
 * Judges what a person dropped or pasted. It trusts nothing in it.
 *
 * @throws `TypeError` when `given` has a member that {@link Given} does not have.
 */
export async function diagnose(given: Given): Promise<Diagnosis> {
  await load();
  return opened(wasm.diagnose(JSON.stringify(given)));
}
