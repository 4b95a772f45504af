// The checker: what a database holds, as another program says it. The sqlite3 shell opens a copy of the file and its sidecars, so neither the
// original nor any lock on it is touched, and lists every schema object and every row with the type and the bytes of each value.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { copySet, scratch } from "./corpus.js";

/** Runs SQL in the sqlite3 shell; gives the lines that it prints. */
export function shell(path: string, sql: string, ...flags: string[]): string[] {
  const { status, stdout, stderr, error } = spawnSync("sqlite3", ["-batch", "-bail", ...flags, path], {
    input: sql,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error) throw new Error("the sqlite3 shell is missing: apt-get install sqlite3");
  if (status !== 0) throw new Error(`sqlite3 ${path}: ${stderr}`);
  return stdout.split("\n").slice(0, -1);
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** A value's type and bytes: text and blobs in hex, since they may hold NUL or be no UTF-8 at all. */
const value = (column: string) => `typeof(${column}) || ':' || CASE WHEN typeof(${column}) IN ('text', 'blob') THEN hex(${column}) ELSE quote(${column}) END`;

export interface Options {
  /** Leaves out the index of FTS5 tables, whose bytes differ from one release of SQLite to another. Their rows and their integrity are still checked. */
  withoutFtsIndex?: boolean;
}

/** Every fact of a database, one per line, sorted. */
export function facts(database: string, options: Options = {}): string[] {
  const directory = scratch();
  const path = copySet(database, directory);
  try {
    const lines: string[] = [];
    for (const pragma of ["page_size", "encoding", "user_version", "application_id", "auto_vacuum", "integrity_check", "foreign_key_check"]) {
      lines.push(...shell(path, `PRAGMA ${pragma};`).map((line) => `${pragma}: ${line}`));
    }
    lines.push(...shell(path, "SELECT 'schema: ' || type || ' ' || name || ' on ' || tbl_name || ' ' || coalesce(hex(sql), 'NULL') FROM sqlite_schema;"));
    const tables = JSON.parse(
      shell(
        path,
        `SELECT json_group_array(json_object('name', t.name, 'type', t.type, 'wr', t.wr, 'columns',
           (SELECT json_group_array(name) FROM pragma_table_xinfo(t.name) WHERE hidden <> 1))) FROM pragma_table_list t WHERE t.schema = 'main' AND t.name <> 'sqlite_schema';`,
      ).join(""),
    ) as { name: string; type: string; wr: number; columns: string }[];
    let rows = "";
    for (const { name, type, wr, columns } of tables) {
      const names = (typeof columns === "string" ? JSON.parse(columns) : columns) as string[];
      if (type === "virtual") rows += `INSERT INTO ${quoted(name)}(${quoted(name)}) VALUES('integrity-check');\n`;
      if (type === "shadow" && options.withoutFtsIndex && /_(data|idx|docsize|config)$/.test(name)) continue;
      const rowid = type === "view" || wr ? [] : ["rowid"];
      const all = [...rowid, ...names.map((column) => value(quoted(column)))].join(" || ' ' || ");
      rows += `SELECT ${literal(`row: ${name} `)} || ${all} FROM ${quoted(name)};\n`;
    }
    lines.push(...shell(path, rows));
    return lines.sort();
  } finally {
    rmSync(dirname(path), { recursive: true });
  }
}

/** What two lists of facts do not share; empty when they are the same. */
export function differences(expected: string[], found: string[]): string[] {
  const count = new Map<string, number>();
  for (const line of expected) count.set(line, (count.get(line) ?? 0) - 1);
  for (const line of found) count.set(line, (count.get(line) ?? 0) + 1);
  return [...count].filter(([, n]) => n !== 0).map(([line, n]) => `${n < 0 ? "lost" : "new"}: ${line.slice(0, 200)}`);
}

/** The v2 that SQL makes of a v1, by the sqlite3 shell alone. */
export function expectedV2(v1: string, sql: string, from: "empty" | "copy" = "empty"): string {
  const source = copySet(v1);
  if (from === "copy") {
    shell(source, `BEGIN; ${sql} COMMIT;`);
    return source;
  }
  const path = `${dirname(source)}/expected.db`;
  const pageSize = shell(source, "PRAGMA page_size;")[0];
  shell(path, `PRAGMA page_size=${pageSize}; ATTACH ${literal(source)} AS v1; BEGIN; ${sql} COMMIT;`);
  return path;
}
