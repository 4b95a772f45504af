// The checker: the content of a database as another program reads it. The sqlite3 shell opens a
// copy of the file and its sidecars, so the checker touches neither the original nor a lock on it.
// It lists every schema object, and every row with the type and the bytes of each value.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { copySet, corpus } from "./corpus.js";

/** Runs SQL in the sqlite3 shell. Returns the lines that the shell prints. */
export function shell(path: string, sql: string): string[] {
  const { status, stdout, stderr, error } = spawnSync("sqlite3", ["-batch", "-bail", path], {
    cwd: dirname(path),
    input: sql,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error) throw new Error("the sqlite3 shell is missing: apt-get install sqlite3");
  if (status !== 0) throw new Error(`sqlite3 ${path}: ${stderr}`);
  return stdout.split("\n").slice(0, -1);
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

export interface Options {
  /**
   * Leaves out the indexes of FTS5 tables, whose bytes differ between releases of SQLite. The
   * checker still checks their rows and their integrity.
   */
  withoutFtsIndex?: boolean;
}

/** Every fact of a database, one a line. */
export function facts(database: string, options: Options = {}): string[] {
  const path = copySet(database);
  const lines = shell(path, corpus("facts.sql"));
  rmSync(dirname(path), { recursive: true });
  return options.withoutFtsIndex
    ? lines.filter((line) => !/^row: \w+_(data|idx|docsize|config) /.test(line))
    : lines;
}

/** The facts that only one of two lists has. Equal lists give none. */
export function differences(expected: string[], found: string[]): string[] {
  const count = new Map<string, number>();
  for (const line of expected) count.set(line, (count.get(line) ?? 0) - 1);
  for (const line of found) count.set(line, (count.get(line) ?? 0) + 1);
  return [...count]
    .filter(([, n]) => n !== 0)
    .map(([line, n]) => `${n < 0 ? "lost" : "new"}: ${line.slice(0, 200)}`);
}

/** The v2 that SQL makes of a v1 in the sqlite3 shell. */
export function expectedV2(v1: string, sql: string, from: "empty" | "copy" = "empty"): string {
  const source = copySet(v1);
  if (from === "copy") {
    shell(source, `BEGIN; ${sql} COMMIT;`);
    return source;
  }
  const path = `${dirname(source)}/expected.db`;
  const pageSize = shell(source, "PRAGMA page_size;")[0];
  shell(
    path,
    `PRAGMA page_size=${pageSize}; ATTACH ${literal(source)} AS v1; BEGIN; ${sql} COMMIT;`,
  );
  return path;
}
