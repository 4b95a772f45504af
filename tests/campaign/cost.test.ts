// What an upgrade costs, in calls and bytes that do not depend on the machine. For a v1 in WAL mode the legacy daemon makes 41 flushes,
// writes 3.2 times the bytes of v1 and needs 4.0 times its size on disk. A change here is a change of what is promised: look at the plan first.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { program, RUNTIMES, seed } from "../corpus/corpus.js";
import { setBytes, strace, sum, type Counts } from "./strace.js";
import { Case, start, type How } from "./upgrade.js";

const PAGE = 4096;

/** Prints the counts; gives the bytes of v1, of v2, and all that were written. */
function report(t: TestContext, what: string, v1: number, database: string, { flushes, bytes }: Counts, peak?: number) {
  const [v2, written] = [statSync(database).size, sum(bytes)];
  const disk = peak === undefined ? "" : `; ${(peak / v1).toFixed(2)} times its size on disk at the most`;
  t.diagnostic(`${what}: ${sum(flushes)} flushes; ${written} bytes written, ${(written / v1).toFixed(2)} times those of v1${disk}`);
  t.diagnostic([...flushes].map(([file, n]) => `${n} of ${file}`).join(", "));
  return { v2, written };
}

function inRust(t: TestContext, how: How) {
  const database = new Case(seed("rusqlite", "wal"), how).copy();
  const v1 = setBytes(database);
  const trace = strace(database);
  const { result, peakBytes } = start(database, how, 0, trace.under);
  assert.equal(result?.outcome, "migrated");
  const counts = trace.counts();
  return { v1, counts, peakBytes, ...report(t, how, v1, database, counts, peakBytes) };
}

/** What is flushed, each file so many times. v1 is settled by SQLite; of what the plan makes everything is flushed that stays, and nothing that goes. */
const SETTLED = { "data.db-wal": 1, "data.db": 2, "data.db-journal": 2 };
const BY_SQL = { ...SETTLED, "data.db.v1-v2-cutover.json.tmp-*": 3, "data.db.building-*": 1, "data.db.v1-v2-*.json": 1, ".": 8 };
/** A state more, and the companion: its backup before that is renamed, what is staged before that is installed, and their directory, which is the database's. */
const BY_HOST = {
  ...SETTLED,
  "data.db.v1-v2-cutover.json.tmp-*": 4,
  "data.db.install-*": 1,
  "data.db.v1-v2-*.json": 1,
  // Its backup, and what is staged.
  "auth.json.v1-v2-*.tmp": 2,
  ".": 14,
};

function assertFlushes({ flushes, bytes, calls }: Counts, total: number, expected: Record<string, number>) {
  assert.deepEqual(Object.fromEntries([...flushes].sort()), Object.fromEntries(Object.entries(expected).sort()));
  assert.equal(sum(flushes), total);
  // A -shm is SQLite's own: it makes v1's, of which it allocates each page by one byte, and removes it. None is copied, linked, renamed or flushed.
  const shm = [...calls].filter(([file]) => file.endsWith("-shm"));
  assert.ok(shm.some(([file]) => file === "data.db-shm"));
  for (const [file, which] of shm) {
    const others = [...which].filter((call) => !["openat", "pwrite64", "unlink"].includes(call));
    assert.deepEqual([others, (bytes.get(file) ?? 0) <= 64], [[], true], `${file}: ${bytes.get(file)} bytes`);
  }
}

test("by SQL: 18 flushes, v2 written once, no copy of v1", (t) => {
  const { v1, v2, counts, written, peakBytes } = inRust(t, "sql");
  assertFlushes(counts, 18, BY_SQL);
  // Its pages once, and page 1 again when it is put into WAL mode.
  assert.ok((counts.bytes.get("data.db.building-*") ?? 0) <= v2 + 2 * PAGE);
  assert.ok((counts.bytes.get("data.db.building-*-journal") ?? 0) <= 2 * PAGE);
  // v1 gets what is in its -wal, and nothing else.
  assert.ok((counts.bytes.get("data.db") ?? 0) <= 20 * PAGE);
  assert.ok(written < v2 + 0.5 * v1, "more is written than v2, the -wal and the journals");
  assert.ok(peakBytes < v1 + v2 + 10 * PAGE, "more is on disk than v1 and v2");
});

test("by a callback that saves a state and stages a companion: 27 flushes, v1 copied once for it, v2 written once by it", (t) => {
  const { v1, v2, counts, peakBytes } = inRust(t, "host");
  assertFlushes(counts, 27, BY_HOST);
  assert.ok((counts.bytes.get("data.db.source-*") ?? 0) <= v1);
  assert.equal(counts.bytes.get("data.db.install-*") ?? 0, 0);
  assert.ok(peakBytes < 2 * v1 + v2 + 40 * PAGE, "more is on disk than v1, its copy and v2");
});

test("by a callback through libSQL: as many; v2 is written once more at the most, where what it closed cannot be collected", (t) => {
  const database = new Case(seed("rusqlite", "wal"), "host").copy();
  const v1 = setBytes(database);
  const trace = strace(database);
  const [command = "", ...args] = [...trace.under, RUNTIMES.node, program("node/app.js"), database, "host"];
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const counts = trace.counts();
  const { v2 } = report(t, "libSQL", v1, database, counts);
  assertFlushes(counts, 27, BY_HOST);
  assert.ok((counts.bytes.get("data.db.install-*") ?? 0) <= v2 + 2 * PAGE);
});
