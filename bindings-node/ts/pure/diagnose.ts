// What a support person asks.
import { opened } from "../error.js";
import type { DatabaseHeader, Diagnosis, Dropped, DroppedFile, Wal } from "../generated.js";
import { support } from "../wasm.js";

/** A write-ahead log, whole or in pieces. */
export type Bytes = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * What a person dropped or pasted: a text, or files. A missing member means that it was not given.
 */
export type Given = Partial<Omit<Dropped, "files">> & {
  files?: (Pick<DroppedFile, "name" | "size"> & Partial<DroppedFile>)[];
};

/**
 * Reads the header of a database from its first bytes. 100 bytes are enough; the digest needs the
 * whole first page. `size` is the size of the file in bytes.
 *
 * @throws `CutoverError` `NOT_A_DATABASE`, which says what the bytes seem to be.
 */
export function readDatabaseHeader(bytes: Uint8Array, size?: number): DatabaseHeader {
  return opened(
    support().readDatabaseHeader(bytes, size === undefined ? undefined : BigInt(size)),
  );
}

/**
 * Reads a write-ahead log, whole or in pieces. `shm` is the start of the `-shm` file beside the
 * log; it tells how much of the log SQLite has already copied into the database.
 *
 * @throws What `log` throws.
 */
export async function readWal(log: Bytes, shm?: Uint8Array): Promise<Wal> {
  const reader = new (support().WalReader)(shm);
  if (log instanceof Uint8Array) reader.feed(log);
  else for await (const piece of log) reader.feed(piece);
  return opened(reader.finish());
}

/**
 * Judges what a person dropped or pasted. It trusts nothing in it.
 *
 * @throws `TypeError` when `given` has a member that {@link Given} does not have.
 */
export function diagnose(given: Given): Diagnosis {
  return opened(support().diagnose(JSON.stringify(given)));
}
