// The addon and the browser's module read the headers and logs that killed programs leave: libSQL,
// bun:sqlite and rusqlite. The test compares both with the sqlite3 shell.
import assert from "node:assert/strict";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import * as addon from "cutover/pure";
import * as browser from "cutover-wasm/diagnose";
import { shell } from "../corpus/compare.js";
import { copySet, seed, type Mode, type Writer } from "../corpus/corpus.js";

const WRITERS: Writer[] = ["libsql", "bun", "rusqlite"];

for (const writer of WRITERS) {
  for (const mode of ["wal", "delete", "hot"] as Mode[]) {
    for (const pageSize of [4096, 1024]) {
      test(`addon and module read the files of ${writer} (${mode}, pages of ${pageSize})`, async () => {
        const path = seed(writer, mode, pageSize);
        const page = readFileSync(path).subarray(0, pageSize);
        const header = addon.readDatabaseHeader(page, statSync(path).size);
        assert.deepEqual(await browser.readDatabaseHeader(page, statSync(path).size), header);
        assert.deepEqual(
          [header.pageSize, header.journalMode, header.page1?.length],
          [pageSize, mode === "wal" ? "wal" : "delete", 64],
        );
        if (mode !== "hot") assert.deepEqual(header.problems, []);
        if (mode === "delete") {
          const pragmas = shell(
            copySet(path),
            "PRAGMA page_count; PRAGMA user_version; PRAGMA schema_version; PRAGMA freelist_count;",
          );
          assert.deepEqual(
            [header.pageCount, header.userVersion, header.schemaCookie, header.freelistPages].map(
              String,
            ),
            pragmas,
          );
        }
        const log = `${path}-wal`;
        assert.equal(existsSync(log), mode === "wal");
        if (mode !== "wal") return;
        const shm = existsSync(`${path}-shm`) ? readFileSync(`${path}-shm`) : undefined;
        const wal = await addon.readWal(readFileSync(log), shm);
        assert.deepEqual(await browser.readWal(createReadStream(log), shm), wal);
        assert.deepEqual(
          [wal.state, wal.tornFrames, wal.header?.pageSize],
          ["usable", 0, pageSize],
        );
        // The log has only transactions after the last checkpoint.
        assert.ok(
          wal.commits > 0 && wal.commitsNotCheckpointed === wal.commits,
          JSON.stringify(wal),
        );
        const [frames] = shell(copySet(path), "PRAGMA wal_checkpoint(PASSIVE);");
        assert.equal(frames, `0|${wal.committedFrames}|${wal.committedFrames}`);
        assert.deepEqual(shell(copySet(path), "PRAGMA page_count;"), [String(wal.pagesAfter)]);
      });
    }
  }
}
