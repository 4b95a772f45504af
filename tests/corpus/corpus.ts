// The corpus: the SQL that every writer runs, and the databases from it.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const tests = fileURLToPath(new URL("../../", import.meta.url));
const root = dirname(tests);

/** The text of a SQL file of the corpus. */
export const corpus = (name: string): string => readFileSync(join(tests, "corpus", name), "utf8");

/** A compiled program of the tests, below tests/dist. */
export const program = (name: string): string => join(tests, "dist", name);

/** A program of tests/rust. `npm test` builds it, and may name its directory in the environment. */
export const rust = (name: string): string =>
  process.env.CUTOVER_PROGRAMS
    ? join(process.env.CUTOVER_PROGRAMS, `${name}.exe`)
    : join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug", name);

/** The runtimes of the addon. */
export const RUNTIMES = {
  node: process.execPath,
  bun: process.env.CUTOVER_BUN ?? join(root, "node_modules/.bin/bun"),
};

export const onWindows = process.platform === "win32";

/**
 * Whether a process was killed. Windows has no signals: a killed process has the status that
 * `process.kill` or tests/rust sets, and prints nothing.
 */
export function wasKilled({
  status,
  signal,
  stderr,
}: {
  status: number | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}): boolean {
  return signal === "SIGKILL" || (onWindows && (status === 137 || (status === 1 && stderr === "")));
}

export type Runtime = keyof typeof RUNTIMES;

let mine: string | undefined;
let count = 0;

/** A new, empty directory, which this process removes at its end. */
export function scratch(): string {
  if (mine === undefined) {
    const made = mkdtempSync(join(tmpdir(), "cutover-"));
    mine = made;
    process.on("exit", () => rmSync(made, { recursive: true, force: true }));
  }
  count += 1;
  const directory = join(mine, String(count));
  mkdirSync(directory);
  return directory;
}

/**
 * Copies a database and the files beside it under its name into `directory`. Returns the path of
 * the copy.
 */
export function copySet(database: string, directory = scratch()): string {
  for (const name of readdirSync(dirname(database))) {
    if (["", "-wal", "-shm", "-journal"].some((suffix) => name === basename(database) + suffix)) {
      cpSync(join(dirname(database), name), join(directory, name));
    }
  }
  return join(directory, basename(database));
}

export type Writer = "libsql" | "bun" | "rusqlite";
export type Mode = "wal" | "delete" | "hot";
const seeds = new Map<string, string>();

/** A new copy of a v1 that a killed writer left. */
export function seed(writer: Writer, mode: Mode, pageSize = 4096): string {
  const key = `${writer} ${mode} ${pageSize}`;
  let made = seeds.get(key);
  if (made === undefined) {
    made = join(scratch(), "data.db");
    const [command, ...args] = {
      libsql: [RUNTIMES.node, program("corpus/seed.js"), "libsql"],
      bun: [RUNTIMES.bun, program("corpus/seed.js"), "bun"],
      rusqlite: [rust("seed")],
    }[writer] as [string, ...string[]];
    const ended = spawnSync(command, [...args, made, mode, String(pageSize)], { encoding: "utf8" });
    if (!wasKilled(ended)) throw new Error(`${writer} could not write its v1: ${ended.stderr}`);
    seeds.set(key, made);
  }
  return copySet(made);
}
