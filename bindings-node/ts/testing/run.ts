// Runs one process of a sweep, and reads its record.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { Line, Task } from "./task.js";

export interface Run {
  lines: Line[];
  /** Whether the function came to its end. */
  ended: boolean;
  /** What failed, without `ended`. */
  failed: string;
  /** What the process printed, at most its last 2000 characters. */
  printed: string;
}

const child = join(__dirname, "testing/child.js");

/** What Node needs to run the scenario: it strips the types of TypeScript. */
function flags(scenario: string): string[] {
  if (process.versions["bun"] || !/^\.[mc]?ts$/.test(extname(new URL(scenario).pathname))) return [];
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 6))
    throw new Error(
      `sweep cannot run ${scenario}: Node ${process.versions.node} does not run TypeScript; use Node 22.6 or newer, Bun, or a scenario in JavaScript`,
    );
  const asks = (major === 22 && minor < 18) || (major === 23 && minor < 6);
  return asks ? ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"] : [];
}

export async function run(task: Task): Promise<Run> {
  const args = [...flags(task.scenario), child, JSON.stringify(task)];
  const process_ = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const take = (chunk: Buffer) => (printed = (printed + String(chunk)).slice(-2000));
  process_.stdout.on("data", take);
  process_.stderr.on("data", take);
  let late = false;
  const bound = setTimeout(() => {
    late = true;
    process_.kill("SIGKILL");
  }, task.timeoutMs);
  await once(process_, "exit");
  clearTimeout(bound);
  process_.stdout.destroy();
  process_.stderr.destroy();
  const lines = record(task.record);
  const ended = lines.some((line) => "ended" in line);
  const failure = lines.findLast((line) => "failed" in line);
  let failed = "its process ended before it did";
  if (failure) failed = `${failure.in} failed: ${failure.failed}`;
  if (late) failed = `${unsettled(lines, task)} within ${task.timeoutMs / 1000} s`;
  return { lines, ended: ended && !late, failed, printed };
}

function record(file: string): Line[] {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line);
  } catch {
    // The process ended before it wrote a line.
    return [];
  }
}

/** What a process that was too slow was doing. */
function unsettled(lines: Line[], { act }: Task): string {
  const open: string[] = [];
  for (const line of lines) {
    if ("begins" in line) open.push(line.begins);
    if ("settles" in line) open.pop();
  }
  const callback = open.at(-1);
  if (callback !== undefined) return `the application's ${callback} did not settle`;
  const last = lines.findLast((line) => "point" in line);
  return `${act} did not settle${last ? ` (its last point was ${last.point})` : ""}`;
}
