// The event loop stays free while SQL builds v2.
import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate } from "cutover";
import { V2, assertUpgraded, options, seed } from "./support.mjs";

const BUSY =
  "CREATE TABLE busy(n); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300000) INSERT INTO busy SELECT n FROM c;";

test("the event loop turns while SQL builds v2", async () => {
  const place = seed();
  let turns;
  let during;
  const turn = () => {
    turns += 1;
    if (during === undefined) setImmediate(turn);
  };
  const onEvent = ({ type, op }) => {
    if (type !== "step") return;
    if (op === "build-sql") {
      turns = 0;
      setImmediate(turn);
    } else if (turns !== undefined) {
      during ??= turns;
    }
  };
  await migrate(options(place.path, { make: { from: "empty", run: { sql: BUSY + V2 } }, onEvent }));
  // On the thread of the event loop the count would be 0, or 1 with a late event.
  assert.ok(during > 10, `the loop turned ${during} times`);
  assertUpgraded(place);
});
