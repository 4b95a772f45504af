// The kill campaign: the application kills itself (SIGKILL) at every step of its upgrade and inside
// its callback, and the test starts it again.
//
// The system keeps what a killed process wrote, so the campaign needs no model of a disk. (The
// crash explorer models a power loss.) The kill is exact, because the application reports each step
// on the thread that performs the step.
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { facts, shell } from "../corpus/compare.js";
import { seed } from "../corpus/corpus.js";
import { Case, HOW, start, v2Of } from "./upgrade.js";

/** Writes to v1 as an older application does. */
const OLDER =
  "INSERT INTO settings VALUES ('older', 'application', 'wrote this'); DELETE FROM changes;";

let points = 0;
for (const how of HOW) {
  const upgrade = new Case(seed("rusqlite", "wal"), how);
  const whole = upgrade.copy();
  const { points: all, result } = start(whole, how);
  test(`${how}: upgrades without a kill (${all.length} points)`, () => {
    assert.equal(result?.outcome, "migrated", JSON.stringify(result));
    upgrade.assertOver(whole);
  });

  // The kill at a point comes before its op. After these two ops the next start has less to report.
  const committed = all.findLastIndex((what) =>
    what.startsWith("rename data.db.v1-v2-cutover.json"),
  );
  const journalGone =
    all.findLastIndex((what) => what.startsWith("remove data.db.v1-v2-cutover.json")) + 1;

  all.forEach((what, index) => {
    points += 1;
    test(`${how}: a kill at ${index + 1}, ${what}`, () => {
      const database = upgrade.copy();
      assert.ok(start(database, how, index + 1).killed);
      const was = upgrade.which(database);
      const { result } = start(database, how);
      // The killed start reported nothing, so this start reports the upgrade. After a kill between
      // the removal of the journal and the result there is nothing to report.
      const told = index < journalGone ? "string" : "object";
      assert.equal(typeof result?.backup, told, JSON.stringify(result));
      assert.equal(
        result?.outcome,
        index <= committed ? "migrated" : "current",
        JSON.stringify(result),
      );
      upgrade.assertOver(database);
      const names = readdirSync(dirname(database));
      assert.equal(start(database, how).result?.outcome, "current");
      assert.deepEqual(readdirSync(dirname(database)), names);

      if (was === "v1") {
        points += 1;
        const older = upgrade.copy();
        assert.ok(start(older, how, index + 1).killed);
        shell(older, OLDER);
        const v1 = facts(older);
        const v2 = v2Of(older, how);
        assert.equal(start(older, how).result?.outcome, "migrated");
        upgrade.assertOver(older, v1, v2);
        rmSync(dirname(older), { recursive: true });
      }
      rmSync(dirname(database), { recursive: true });
    });
  });
}
