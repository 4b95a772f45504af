// The event loop is free while v2 is built.
import assert from "node:assert/strict";
import { test } from "node:test";
import { migrate } from "cutover";
import { V2, assertUpgraded, options, seed } from "./support.mjs";

const BUSY = "CREATE TABLE busy(n); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300000) INSERT INTO busy SELECT n FROM c;";

test("the event loop turns while SQL runs", async () => {
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
  // On the event loop's own thread it would be 0, and 1 if the event was only told late.
  assert.ok(during > 10, `the loop turned ${during} times`);
  assertUpgraded(place);
});
