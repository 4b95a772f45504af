// A second crash: the test kills the recovering start too, at each of its steps. The third start
// must end the upgrade.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { seed } from "../corpus/corpus.js";
import { Case, start } from "./upgrade.js";

// The build by a callback with a companion has every kind of step. There is one first kill for each
// state that recovery distinguishes.
const how = "host";
const upgrade = new Case(seed("rusqlite", "wal"), how);
const { points } = start(upgrade.copy(), how);
const FIRST: Record<string, string> = {
  "while the first journal is written": "sync-file data.db.v1-v2-cutover.json.tmp-*",
  "before v1 was settled": "settle data.db",
  "in the callback": "callback before its commit",
  "with v2 complete, before the journal says so": "sync-file data.db.install-*",
  "built, before the link": "link data.db.v1-v2-*",
  "linked, before v2 is canonical": "rename data.db",
  "v2 is canonical, before the journal says so": "absent data.db-wal",
  "with the companion installed": "write-receipt data.db.v1-v2-*.json",
  "committed, while it cleans up": "remove data.db.source-*",
  "while the journal goes": "remove data.db.v1-v2-cutover.json",
};

for (const [what, point] of Object.entries(FIRST)) {
  const first =
    (point.startsWith("absent") ? points.lastIndexOf(point) : points.indexOf(point)) + 1;
  test(`a kill ${what}, then a kill at every step of the recovery`, (t) => {
    assert.ok(first > 0, `no such point as ${point}: ${points.join("\n")}`);
    for (let second = 1; ; second += 1) {
      const database = upgrade.copy();
      assert.ok(start(database, how, first).killed);
      const recovery = start(database, how, second);
      const at = `killed again at ${second}, ${recovery.points.at(-1)}`;
      if (recovery.killed) {
        const result = start(database, how).result;
        assert.match(
          result?.outcome ?? "",
          /^(migrated|current)$/,
          `${at}: ${JSON.stringify(result)}`,
        );
      }
      try {
        upgrade.assertOver(database);
      } catch (error) {
        throw new Error(at, { cause: error });
      }
      rmSync(dirname(database), { recursive: true });
      if (!recovery.killed) {
        t.diagnostic(`${second - 1} second kill points`);
        assert.ok(second > 5, "there was nothing to kill");
        return;
      }
    }
  });
}
