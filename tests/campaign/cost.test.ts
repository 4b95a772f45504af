// What an upgrade costs, in calls and bytes that do not depend on the machine. For a v1 in WAL mode the daemon in the field makes 41 flushes,
// writes 3.2 times the bytes of v1 and needs 4.0 times its size on disk. A change here is a change of what is promised: look at the plan first.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { program, RUNTIMES, seed } from "../corpus/corpus.js";
import { setBytes, strace, sum, type Counts } from "./strace.js";
import { Case, start } from "./upgrade.js";

function report(t: TestContext, what: string, v1: number, { flushes, bytes }: Counts, peak?: number): number {
  const written = sum(bytes);
  const disk = peak === undefined ? "" : `; ${(peak / v1).toFixed(2)} times its size on disk at the most`;
  t.diagnostic(`${what}: ${sum(flushes)} flushes; ${written} bytes written, ${(written / v1).toFixed(2)} times those of v1${disk}`);
  return written;
}

test("by SQL: 18 flushes, and v2 is written once", (t) => {
  const upgrade = new Case(seed("rusqlite", "wal"), "sql");
  const database = upgrade.copy();
  const v1 = setBytes(database);
  const trace = strace(database);
  const { result, peakBytes } = start(database, "sql", 0, trace.under);
  assert.equal(result?.outcome, "migrated");
  const counts = trace.counts();
  const written = report(t, "SQL", v1, counts, peakBytes);
  console.error([...counts.flushes], [...counts.bytes]);
  assert.equal(sum(counts.flushes), 18);
  const page = 4096;
  assert.ok((counts.bytes.get("data.db.building-*") ?? 0) <= statSync(database).size + 4 * page, "v2 was written more than once");
  assert.ok(written < 1.5 * v1 + statSync(database).size);
});

test("by a callback in Rust", (t) => {
  const upgrade = new Case(seed("rusqlite", "wal"), "host");
  const database = upgrade.copy();
  const v1 = setBytes(database);
  const trace = strace(database);
  const { result, peakBytes } = start(database, "host", 0, trace.under);
  assert.equal(result?.outcome, "migrated");
  const counts = trace.counts();
  report(t, "host", v1, counts, peakBytes);
  console.error([...counts.flushes], [...counts.bytes]);
});

test("by a callback through libSQL, on Node", (t) => {
  const upgrade = new Case(seed("rusqlite", "wal"), "host");
  const database = upgrade.copy();
  const v1 = setBytes(database);
  const trace = strace(database);
  const [command = "", ...args] = [...trace.under, RUNTIMES.node, program("node/app.js"), database, "host"];
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const counts = trace.counts();
  report(t, "libSQL", v1, counts);
  console.error([...counts.flushes], [...counts.bytes]);
});
