import { isUint8Array } from "node:util/types";
import { refuse, sql as checkSql } from "./check.js";

/**
 * A value of SQLite. An integer is a `number` up to 2^53 - 1, and a `bigint` beyond. A blob is a
 * `Uint8Array`, and so is text that is not valid UTF-8, byte for byte.
 */
export type SqlValue = null | number | bigint | string | Uint8Array;

/**
 * A database, open for reading through this package's own SQLite, which leaves no open handle. It
 * is usable until the callback settles.
 */
export interface Reader {
  /**
   * The path of the database. In `verify` the application may open v2 there with its own SQLite. Do
   * not open v1 by its path: a build has `await job.source()`.
   */
  readonly path: string;
  /**
   * Returns every row of a query. Each of `args` binds to the next `?`; a whole `number` binds as
   * an integer.
   *
   * @throws `Error` with SQLite's message; for a statement that does more than read, such as
   * `ATTACH`, `VACUUM INTO` or a pragma that sets something; for more than 256 MiB of rows, as JSON
   * with blobs in base64; and after the callback has settled. `TypeError` for a wrong argument.
   */
  all<R extends object = Record<string, SqlValue>>(
    sql: string,
    args?: readonly SqlValue[],
  ): Promise<R[]>;
  /**
   * Iterates over the rows of a query, however many there are: about 1 MiB of them is in memory at
   * a time, or one row that is larger. Several iterations may go on at once. `args` as for
   * {@link Reader.all}.
   *
   * Until it ends, the database cannot change under it: in rollback mode other processes cannot
   * commit meanwhile. It ends with its last row, with `break` or `return()`, and when the callback
   * settles.
   *
   * @throws what {@link Reader.all} throws, at the row where it happens; the size that matters is
   * that of one row.
   */
  iterate<R extends object = Record<string, SqlValue>>(
    sql: string,
    args?: readonly SqlValue[],
  ): AsyncGenerator<R, void, undefined>;
}

/** Sends a request to the thread and returns the reply. */
export type Ask = (request: { name: string; [argument: string]: unknown }) => Promise<unknown>;

/** Rows as they cross: the column names once. */
interface Rows {
  columns: string[];
  rows: unknown[][];
  /** No row follows. */
  last: boolean;
}

export function reader(ask: Ask, path: string): Reader {
  let iterations = 0;
  return {
    path,
    async all<R extends object>(sql: string, args?: readonly SqlValue[]) {
      return rowsOf<R>((await ask({ name: "all", ...query(sql, args) })) as Rows);
    },
    async *iterate<R extends object>(sql: string, args?: readonly SqlValue[]) {
      iterations += 1;
      const iteration = iterations;
      let batch = (await ask({ name: "iterate", iteration, ...query(sql, args) })) as Rows;
      try {
        for (;;) {
          yield* rowsOf<R>(batch);
          if (batch.last) return;
          batch = (await ask({ name: "next", iteration })) as Rows;
        }
      } finally {
        // When the callback has settled, the iteration has ended already.
        if (!batch.last) await ask({ name: "stop", iteration }).catch(() => undefined);
      }
    },
  };
}

function query(sql: string, args: readonly SqlValue[] = []): { sql: string; args: unknown[] } {
  const must = checkSql(sql);
  if (must !== undefined) refuse("sql", must, sql);
  return { sql, args: args.map(encode) };
}

function rowsOf<R extends object>({ columns, rows }: Rows): R[] {
  return rows.map(
    (row) => Object.fromEntries(row.map((value, index) => [columns[index], decode(value)])) as R,
  );
}

/** Tags a value that JSON or a number cannot hold: `i` integer, `f` number, `b` base64. */
function encode(value: SqlValue, index: number): unknown {
  if (value === null) return value;
  if (typeof value === "string") {
    if (!value.isWellFormed()) refuse(`args[${index}]`, "a well-formed string", value);
    return value;
  }
  if (typeof value === "bigint") return { i: String(value) };
  // A whole number beyond 2^53 may be inexact, so it stays a double.
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : { f: String(value) };
  if (isUint8Array(value)) return { b: base64(value) };
  throw new TypeError(
    `args[${index}] must be null, a number, a bigint, a string or a Uint8Array, not ${typeof value}`,
  );
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

/** A separate array: a small `Buffer` is a part of a pool that other buffers share. */
export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
