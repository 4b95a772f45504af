// The upgrade at one size beside its peers, and what its runs tell besides: flip and silence.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { scratch } from "../corpus/corpus.js";
import { child, median, rounds, type Contender, type Input, type Result } from "./rounds.js";
import { row, type Row, type Section } from "./table.js";
import type { V1 } from "./v1.js";

/** How a contender is run on a fresh copy of v1. */
export interface How extends Partial<Input> {
  ours?: true;
  cannot?: string | undefined;
  /** It only reads v1, and makes a file beside it: v2, or a copy of v1. */
  makes?: "v2" | "v1";
  /** What else is in the folder. */
  prepare?: (path: string) => void;
  /** The command to put before its own. */
  under?: (path: string) => string[];
}

/** Checks what the contender made once it has ended. */
export function contender(v1: V1, name: string, work: string, how: How = {}): Contender {
  const { ours, cannot, makes, prepare, under, ...more } = how;
  return {
    name,
    cannot,
    ...(ours && { ours }),
    once() {
      const directory = scratch();
      const path = makes ? v1.path : v1.copy(directory);
      const to = join(directory, "made.db");
      prepare?.(path);
      const { rows, rowBytes } = v1;
      const output = child(work, { path, to, rows, rowBytes, ...more }, under?.(path));
      if (makes === "v1") v1.checkV1(to);
      else v1.checkV2(makes ? to : path);
      rmSync(directory, { recursive: true });
      return output;
    },
  };
}

/** The peers that npm installed, or why they are not there. */
export interface Installed {
  folder: string;
  cannot: string | undefined;
}

export interface Upgrades {
  v1: V1;
  results: Result[];
  /** The runs of `{ sql }` with the default options. */
  sql: Result;
}

export const BASE = "sqlite3 shell, same SQL, no journal, one fsync";

export function upgrades(v1: V1, count: number, { folder, cannot }: Installed): Upgrades {
  const results = rounds(count, [
    contender(v1, BASE, "shellSql", { makes: "v2" }),
    contender(v1, "cutover { sql }", "sql", { ours: true }),
    contender(v1, "cutover { sql }, checkV1: false", "sql", { ours: true, checkV1: false }),
    contender(v1, "drizzle's migrator in place, better-sqlite3", "drizzleInPlace", {
      folder,
      cannot,
    }),
    contender(v1, "as applications write it, libSQL", "application"),
    contender(v1, "cutover, a callback with the same inserts", "callback", { ours: true }),
    contender(v1, "a copy of v1 alone: VACUUM INTO + fsync", "vacuumInto", { makes: "v1" }),
    contender(v1, "a copy of v1 alone: as cp makes it, + fsync", "copy", { makes: "v1" }),
  ]);
  return { v1, results, sql: results[1] as Result };
}

export function upgradeSection({ v1, results }: Upgrades): Section {
  const rows = results.map((result) => row(result));
  const at = results.findIndex(({ outputs }) => outputs[0]?.callbackMs !== undefined);
  const callback = results[at];
  if (callback)
    rows.splice(at + 1, 0, {
      what: "  of which ours: all but the callback's own inserts",
      values: callback.outputs.map(({ ms, callbackMs = NaN }) => (1 - callbackMs / ms) * 100),
      unit: "%",
      compared: false,
    });
  return { title: `v1 to v2, ${size(v1)}`, rows };
}

export const size = ({ megabytes, rowBytes, rows }: V1): string =>
  `${megabytes} MB in ${rows.toLocaleString("en")} rows of ${rowBytes < 1024 ? `${rowBytes} B` : `${rowBytes / 1024} KiB`}`;

export function flipSection(all: Upgrades[]): Section {
  return {
    title: "flip: from phase built to phase committed",
    rows: [all[0], all.at(-1)].flatMap((at) =>
      at
        ? row(at.sql, ({ flipMs = NaN }) => [flipMs], {
            what: `cutover { sql }, ${at.v1.megabytes} MB`,
          })
        : [],
    ),
  };
}

/** What an application waits for in the dark: the silence, and an abort in the middle of two ops. */
export function deafSection({ v1, sql }: Upgrades, count: number): Section {
  const worst = sql.outputs
    .flatMap(({ silence }) => silence ?? [])
    .reduce((one, other) => (other.ms > one.ms ? other : one));
  const silence: Row = row(sql, ({ silence }) => [silence?.ms ?? NaN], {
    what: "longest silence between two events",
    compared: false,
    note: `the longest: in ${worst.after}`,
  });
  const middle = (op: string) => median(sql.outputs.map(({ ops }) => ops?.[op] ?? NaN));
  const aborts = rounds(
    count,
    ["build-sql", "check"].map((op): Contender => ({
      name: `abort in ${op}, of ${Math.round(middle(op))} ms: until the rejection`,
      once(round) {
        const directory = scratch();
        const path = v1.copy(directory);
        const afterMs = (middle(op) * ((round % 3) + 1)) / 4;
        const output = child("abort", { path, abort: { op, afterMs } });
        v1.checkV1(path);
        rmSync(directory, { recursive: true });
        return output;
      },
    })),
  );
  const rows = aborts.map((result) => row(result, undefined, { compared: false }));
  return { title: `never deaf, ${size(v1)}`, rows: [silence, ...rows] };
}
