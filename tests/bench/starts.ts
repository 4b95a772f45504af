// Starts with nothing to do, and what loading costs.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { shell } from "../corpus/compare.js";
import { scratch } from "../corpus/corpus.js";
import { child, rounds, type Contender, type Input } from "./rounds.js";
import { row, type Section } from "./table.js";
import type { Installed } from "./upgrades.js";
import { toV2 } from "./v1.js";

/** A small v2 in a folder of its own. */
export function v2(mode: "wal" | "delete"): string {
  const path = join(scratch(), "data.db");
  const sql = "CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body BLOB);";
  shell(path, `PRAGMA journal_mode=${mode}; ${sql} ${toV2("notes")}`);
  return path;
}

/** A v2 with rows in its log, as an owner leaves it that was killed. */
function killed(): string {
  const [open, left] = [v2("wal"), join(scratch(), "data.db")];
  const insert = "INSERT INTO note(title) VALUES ('A'), ('B');";
  shell(
    open,
    `PRAGMA wal_autocheckpoint=0; ${insert}\n.shell cp data.db data.db-wal ${dirname(left)}`,
  );
  return left;
}

/** Other files in the folder of a database. */
export function fill(path: string, files: number): string {
  for (let n = 0; n < files; n += 1) writeFileSync(join(dirname(path), `other-${n}.txt`), "");
  return path;
}

/** Runs `work` beside this many other processes, with sixty open files each. */
export async function beside<T>(count: number, work: () => T): Promise<T> {
  const file = openSync(process.execPath, "r");
  const others: ChildProcess[] = [];
  try {
    for (let n = 0; n < count; n += 1)
      others.push(spawn("sleep", ["600"], { stdio: Array<number>(60).fill(file) }));
    return work();
  } finally {
    const ended = others.map((other) => once(other, "exit"));
    for (const other of others) other.kill();
    await Promise.all(ended);
    closeSync(file);
  }
}

const start = (name: string, path: string, more: Partial<Input> = {}): Contender => ({
  name,
  ours: true,
  once: () => child("start", { path, ...more }),
});

function contenders(path: string, { folder, cannot }: Installed): Contender[] {
  const peer = (work: string) => () => child(work, { path, folder });
  return [
    { name: "libSQL: open, read user_version, close", once: peer("startLibsql") },
    { name: "better-sqlite3: open, read user_version, close", cannot, once: peer("startBetter") },
    start("cutover", path),
    start("cutover, with the application's own lock", path, { lock: true }),
  ];
}

export async function* startSections(
  count: number,
  files: number,
  processes: number,
  installed: Installed,
): AsyncGenerator<Section> {
  const section = (title: string, path: string): Section => ({
    title: `start with nothing to do, in process: ${title}`,
    rows: rounds(count, contenders(path, installed)).map((result) => row(result)),
  });
  yield section("v2 in WAL mode", v2("wal"));
  yield section("v2 in rollback mode", v2("delete"));
  yield section(`${files.toLocaleString("en")} other files in the folder`, fill(v2("wal"), files));
  yield await beside(processes, () =>
    section(`beside ${processes} processes with 60 open files each`, v2("wal")),
  );
  const left = killed();
  const log = `${left}-wal`;
  const rows = rounds(1, [start("cutover", left)]).map((result) => row(result));
  yield {
    title: "start with nothing to do, in process: the last owner was killed and left a log",
    rows: rows.map((row) => ({
      ...row,
      note: existsSync(log) ? "the log is there after it" : "the first call removed the log",
    })),
  };
}

/** What a program pays before its first call, in a fresh process each. */
export function loadSection(count: number): Section {
  const path = v2("wal");
  const results = rounds(
    count,
    [
      ["nothing", "Node alone"],
      ["importAlone", 'import "cutover"'],
      ["firstCall", "import, and a first start, which loads the addon"],
    ].map(([work = "", name = ""]): Contender => ({ name, once: () => child(work, { path }) })),
  );
  return {
    title: "load, in a fresh process",
    rows: results.map((result, at) =>
      row(result, ({ ms }) => (at === 0 ? [] : [ms]), { compared: false }),
    ),
  };
}
