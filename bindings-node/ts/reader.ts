import { isUint8Array } from "node:util/types";

/**
 * A value of SQLite. An integer is a `number` where that is exact (up to 2^53 - 1) and a `bigint` where it is not; text that is not valid
 * UTF-8 comes as a `Uint8Array`, byte for byte, as blobs do.
 */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** A database open for reading, through this package's own SQLite: it leaves no handle behind. Usable until the callback settles. */
export interface Reader {
  /**
   * Every row of a query. `args` are bound to `?` in order; a whole `number` is bound as an integer.
   *
   * Rejects with SQLite's message, with more than 256 MiB of rows (as JSON, blobs in base64), and once the callback that the reader was given to has settled.
   */
  all<R extends object = Record<string, SqlValue>>(sql: string, args?: readonly SqlValue[]): Promise<R[]>;
}

/** Sends a request and gives what the thread replies. */
export type Ask = (request: { name: string; [argument: string]: unknown }) => Promise<unknown>;

/** Rows as they cross: the names once. */
interface Rows {
  columns: string[];
  rows: unknown[][];
}

export function reader(ask: Ask): Reader {
  return {
    async all<R extends object>(sql: string, args: readonly SqlValue[] = []) {
      const request = { name: "all", sql, args: args.map(encode) };
      const { columns, rows } = (await ask(request)) as Rows;
      return rows.map((row) => Object.fromEntries(row.map((value, index) => [columns[index], decode(value)])) as R);
    },
  };
}

/** What JSON or a number cannot hold is tagged: `i` integer, `f` number, `b` base64. */
function encode(value: SqlValue, index: number): unknown {
  if (value === null || typeof value === "string") return value;
  if (typeof value === "bigint") return { i: String(value) };
  // A whole number beyond 2^53 is not known to be exact, and stays what it is: a double.
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : { f: String(value) };
  if (isUint8Array(value)) return { b: base64(value) };
  throw new TypeError(`args[${index}] must be null, a number, a bigint, a string or a Uint8Array, not ${typeof value}`);
}

function decode(value: unknown): SqlValue {
  if (value === null || typeof value !== "object") return value as SqlValue;
  const tagged = value as { i?: string; f?: string; b?: string };
  if (tagged.i !== undefined) return BigInt(tagged.i);
  if (tagged.b !== undefined) return bytes(tagged.b);
  return Number(tagged.f);
}

export function base64(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}

/** An array of its own: a small `Buffer` is a window into a pool that others share. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}
