// Starts tests/node/app.ts on a runtime and returns its output.
import { spawnSync } from "node:child_process";
import { program, RUNTIMES, wasKilled, type Runtime } from "../corpus/corpus.js";
import type { Wish } from "./app.js";

export interface Said {
  killed: boolean;
  result: {
    outcome: string;
    recovery: string;
    backup: string | null;
    report: Record<string, unknown> | null;
    strategy: string | null;
    warnings: { from: string; code: string | null; message: string }[];
  };
  error: {
    code: string;
    message: string;
    data: { state: string; v1: string | null; v2: string | null };
    holders: { pid: number; name: string }[];
    hint: string;
    phase: string | null;
    cause: string | null;
  };
  /** What another process saw while the application went on. */
  live?: string[];
  /** How the second upgrade went, beside a leaked connection. */
  again?: { held: boolean; outcome: string; waits: number };
}

export function app(runtime: Runtime, database: string, how: string, wish: Wish = {}): Said {
  const ended = spawnSync(
    RUNTIMES[runtime],
    [program("node/app.js"), database, how, JSON.stringify(wish)],
    { encoding: "utf8" },
  );
  const { status, signal, stdout, stderr } = ended;
  if (wasKilled(ended)) return { killed: true } as Said;
  if (status !== 0)
    throw new Error(`${runtime} app ${how} ended with ${signal ?? status}: ${stdout}${stderr}`);
  return {
    killed: false,
    ...(JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as object),
  } as Said;
}
