// The cost of an upgrade, in calls and bytes that do not depend on the machine. For a v1 in WAL
// mode the legacy daemon makes 41 flushes, writes 3.2 times the bytes of v1 and needs 4.0 times its
// size on disk. A changed number changes a promise, so look at the plan first.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { program, RUNTIMES, seed } from "../corpus/corpus.js";
import { setBytes, strace, sum, type Counts } from "./strace.js";
import { Case, start, type How } from "./upgrade.js";

const PAGE = 4096;

/** Prints the counts. Returns the bytes of v1, of v2, and all written bytes. */
function report(
  t: TestContext,
  what: string,
  v1: number,
  database: string,
  { flushes, bytes }: Counts,
  peak?: number,
) {
  const [v2, written] = [statSync(database).size, sum(bytes)];
  const disk =
    peak === undefined ? "" : `; ${(peak / v1).toFixed(2)} times its size on disk at the most`;
  t.diagnostic(
    `${what}: ${sum(flushes)} flushes; ${written} bytes written, ${(written / v1).toFixed(2)} times those of v1${disk}`,
  );
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

/**
 * How often each file is flushed. SQLite flushes v1 when it settles v1. Of the files that the plan
 * makes, it flushes each that stays, and none that goes.
 */
const SETTLED = { "data.db-wal": 1, "data.db": 2, "data.db-journal": 2 };
const BY_SQL = {
  ...SETTLED,
  "data.db.v1-v2-cutover.json.tmp-*": 3,
  "data.db.building-*": 1,
  "data.db.v1-v2-*.json": 1,
  ".": 8,
};
/**
 * With a saved state and a companion: also its backup before the rename, its staged content before
 * the installation, and their directory, which is that of the database.
 */
const BY_HOST = {
  ...SETTLED,
  "data.db.v1-v2-cutover.json.tmp-*": 4,
  "data.db.install-*": 1,
  "data.db.v1-v2-*.json": 1,
  // The backup of the companion, and its staged content.
  "auth.json.v1-v2-*.tmp": 2,
  ".": 14,
};

function assertFlushes(
  { flushes, bytes, calls }: Counts,
  total: number,
  expected: Record<string, number>,
) {
  assert.deepEqual(
    Object.fromEntries([...flushes].sort()),
    Object.fromEntries(Object.entries(expected).sort()),
  );
  assert.equal(sum(flushes), total);
  // Only SQLite touches a -shm: it makes that of v1, allocates each page by one byte, and removes
  // it. The upgrade copies, links, renames and flushes none.
  const shm = [...calls].filter(([file]) => file.endsWith("-shm"));
  assert.ok(shm.some(([file]) => file === "data.db-shm"));
  for (const [file, which] of shm) {
    const others = [...which].filter((call) => !["openat", "pwrite64", "unlink"].includes(call));
    assert.deepEqual(
      [others, (bytes.get(file) ?? 0) <= 64],
      [[], true],
      `${file}: ${bytes.get(file)} bytes`,
    );
  }
}

test("an upgrade by SQL makes 18 flushes, writes v2 once, and copies no v1", (t) => {
  const { v1, v2, counts, written, peakBytes } = inRust(t, "sql");
  assertFlushes(counts, 18, BY_SQL);
  // The pages of v2 once, and page 1 again for WAL mode.
  assert.ok((counts.bytes.get("data.db.building-*") ?? 0) <= v2 + 2 * PAGE);
  assert.ok((counts.bytes.get("data.db.building-*-journal") ?? 0) <= 2 * PAGE);
  // SQLite writes to v1 only the content of its -wal.
  assert.ok((counts.bytes.get("data.db") ?? 0) <= 20 * PAGE);
  assert.ok(written < v2 + 0.5 * v1, "more is written than v2, the -wal and the journals");
  assert.ok(peakBytes < v1 + v2 + 10 * PAGE, "more is on disk than v1 and v2");
});

test("an upgrade by a callback with a state and a companion makes 27 flushes, copies v1 once, and writes v2 once", (t) => {
  const { v1, v2, counts, peakBytes } = inRust(t, "host");
  assertFlushes(counts, 27, BY_HOST);
  assert.ok((counts.bytes.get("data.db.source-*") ?? 0) <= v1);
  assert.equal(counts.bytes.get("data.db.install-*") ?? 0, 0);
  assert.ok(peakBytes < 2 * v1 + v2 + 40 * PAGE, "more is on disk than v1, its copy and v2");
});

test("an upgrade by a callback through libSQL makes as many flushes, and writes v2 at most once more, for a leaked connection", (t) => {
  const database = new Case(seed("rusqlite", "wal"), "host").copy();
  const v1 = setBytes(database);
  const trace = strace(database);
  const [command = "", ...args] = [
    ...trace.under,
    RUNTIMES.node,
    program("node/app.js"),
    database,
    "host",
  ];
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const counts = trace.counts();
  const { v2 } = report(t, "libSQL", v1, database, counts);
  assertFlushes(counts, 27, BY_HOST);
  assert.ok((counts.bytes.get("data.db.install-*") ?? 0) <= v2 + 2 * PAGE);
});
