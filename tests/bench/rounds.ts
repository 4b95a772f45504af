// Rounds of child processes: each contender runs once in each round, so what drifts hits all alike.
import { spawnSync } from "node:child_process";
import { program } from "../corpus/corpus.js";

/** What a child process is told. */
export interface Input {
  path: string;
  /** The file that a peer makes beside v1. */
  to?: string;
  rows?: number;
  rowBytes?: number;
  /** The folder of the peers that npm installed. */
  folder?: string;
  checkV1?: boolean;
  lock?: boolean;
  companions?: number;
  /** The op in which the upgrade is aborted, and after how many milliseconds of it. */
  abort?: { op: string; afterMs: number };
}

/** What a child process measured. */
export interface Output {
  ms: number;
  /** Each of many calls. */
  all?: number[];
  /** The most memory that the process had; `null` where the system does not tell it. */
  peakKb?: number | null;
  /** What the application's callback took of `ms`. */
  callbackMs?: number;
  /** How long the ops took, by name. */
  ops?: Record<string, number>;
  /** From phase `built` to phase `committed`. */
  flipMs?: number;
  /** The longest time without an event, and the event before it. */
  silence?: { ms: number; after: string };
}

/** Why a child process measured nothing. */
export class Failed extends Error {}

/** Runs one program of `child.ts` in a process of its own. */
export function child(work: string, input: Input, under: string[] = []): Output {
  const [command = "", ...args] = [
    ...under,
    process.execPath,
    program("bench/child.js"),
    work,
    JSON.stringify(input),
  ];
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (error) throw new Failed(error.message);
  // A person ends the run, not this row.
  if (signal === "SIGINT") process.exit(130);
  if (status !== 0) {
    const why = /^\w*Error\b.*$/m.exec(stderr)?.[0] ?? stderr.trim().split("\n").at(-1);
    throw new Failed(`${why || `ended by ${signal ?? status}`}`);
  }
  return JSON.parse(stdout) as Output;
}

export interface Contender {
  name: string;
  /** Ours may not fail. A peer that fails is a row that says why. */
  ours?: true;
  /** Why it cannot run here. */
  cannot?: string | undefined;
  once(round: number): Output;
}

export interface Result {
  name: string;
  outputs: Output[];
  cannot: string | undefined;
}

export function rounds(count: number, contenders: Contender[]): Result[] {
  const results = contenders.map(({ name, cannot }): Result => ({ name, cannot, outputs: [] }));
  for (let round = 0; round < count; round += 1) {
    for (const [at, contender] of contenders.entries()) {
      const result = results[at] as Result;
      if (result.cannot !== undefined) continue;
      try {
        result.outputs.push(contender.once(round));
      } catch (error) {
        if (contender.ours || !(error instanceof Failed)) throw error;
        result.cannot = `cannot run: ${error.message}`;
      }
    }
  }
  return results;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
