// What every contender upgrades: v1, the SQL that makes v2 of it, and the check that v2 has its rows.
import { closeSync, copyFileSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../corpus/compare.js";
import { scratch } from "../corpus/corpus.js";

/** The schema of v2 without its index, which is made when the rows are there. */
export const TABLE = "CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body BLOB);";
export const INDEX = "CREATE INDEX note_title ON note(title);";
export const STAMP = "PRAGMA user_version = 2;";

/** Makes v2 of the table `from`. */
export const toV2 = (from: string): string =>
  `${TABLE} INSERT INTO note SELECT id, upper(title), body FROM ${from}; ${INDEX} ${STAMP}`;

export const literal = (path: string): string => `'${path.replaceAll("'", "''")}'`;

export function flush(path: string): void {
  const handle = openSync(path, "r");
  fsyncSync(handle);
  closeSync(handle);
}

/** A v1 that its application closed: the header says its journal mode, and no log is beside it. */
export class V1 {
  readonly path = join(scratch(), "data.db");
  readonly rows: number;
  readonly #bodyBytes: number;

  constructor(
    readonly megabytes: number,
    readonly rowBytes: number,
    mode: "wal" | "delete" = "wal",
  ) {
    this.rows = Math.max(1, Math.round((megabytes * 1e6) / rowBytes));
    this.#bodyBytes = rowBytes - 40;
    shell(
      this.path,
      `PRAGMA synchronous=OFF; PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body BLOB);
       INSERT INTO notes(title, body) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${this.rows})
         SELECT 'note ' || n, randomblob(${this.#bodyBytes}) FROM c;
       PRAGMA journal_mode=${mode};`,
    );
    flush(this.path);
  }

  /** A copy in a folder of its own. It is on the disk, so that no measured flush writes it. */
  copy(directory: string): string {
    const path = join(directory, "data.db");
    copyFileSync(this.path, path);
    flush(path);
    return path;
  }

  /** Throws if this is not v2, or has not the rows of v1. */
  checkV2(path: string): void {
    const titles = "SELECT count(*) FROM note INDEXED BY note_title WHERE title = upper(title);";
    this.#expect(path, "note", [`${this.rows}`, "2"], `${titles} PRAGMA user_version;`);
  }

  /** Throws if this is not v1 with its rows. */
  checkV1(path: string): void {
    this.#expect(path, "notes", ["1"], "PRAGMA user_version;");
  }

  #expect(path: string, table: string, more: string[], sql: string): void {
    const expected = [`${this.rows}|${this.rows * this.#bodyBytes}`, ...more].join();
    const found = shell(path, `SELECT count(*), sum(length(body)) FROM ${table}; ${sql}`).join();
    if (found !== expected) throw new Error(`${path} has ${found}, not ${expected}`);
  }
}
