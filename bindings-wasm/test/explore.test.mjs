// The explorer in its worker: the counts of the addon, the progress, and cancellation.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as addon from "cutover/pure";
import { explore, replayCrash } from "cutover-wasm/explore";

const question = (strategy, models, platform = "linux") => ({
  strategy,
  platform,
  by: "sql",
  from: "empty",
  models,
});

for (const asked of [
  question("link-replace", ["M0", "M1", "M2", "M3"]),
  question("page-copy", ["M0", "M2"]),
  question("two-rename", ["M0", "M1", "M2", "M3"]),
  question("link-replace", ["Windows"], "windows"),
]) {
  test(`the crash matrix of ${asked.strategy} on ${asked.platform} is that of the addon`, async () => {
    const told = [];
    const matrix = await explore(asked, { onProgress: (progress) => told.push(progress) });
    assert.deepEqual(matrix, await addon.explore(asked));
    assert.deepEqual(told.at(-1).done, told.at(-1).total);
    assert.ok(told.every(({ done }, at) => at === 0 || done > told[at - 1].done));
    assert.equal(matrix.bad, 0);
    assert.equal(matrix.broken > 0, asked.strategy === "two-rename");
  });
}

test("the explorer tells every crash", async () => {
  const matrix = await addon.explore(question("two-rename", ["M0"]));
  const { replay } = matrix.cells
    .flat()
    .flatMap(({ crashes }) => crashes)
    .find(({ broken }) => broken);
  const story = await replayCrash(replay);
  assert.deepEqual(story, await addon.replayCrash(replay));
  assert.ok(story.length > 3 && story.includes("start 2"));
  assert.equal(await replayCrash("nonsense"), null);
});

test("an aborted exploration ends with the reason of the signal", async () => {
  const aborter = new AbortController();
  const { signal } = aborter;
  const reason = new Error("enough");
  const asked = question("link-replace", ["M3"]);
  await assert.rejects(explore(asked, { signal, onProgress: () => aborter.abort(reason) }), reason);
  await assert.rejects(explore(asked, { signal }), reason);
});

test("the addon and the worker refuse a wrong question alike", async () => {
  for (const wrong of [
    {},
    question("restore", ["M0"]),
    question("link-replace", []),
    question("link-replace", ["Windows"]),
  ]) {
    const thrown = await Promise.all(
      [addon, { explore }].map((side) =>
        side.explore(wrong).then(
          () => assert.fail("accepted"),
          (error) => error,
        ),
      ),
    );
    assert.ok(thrown.every((error) => error instanceof TypeError));
    assert.equal(thrown[1].message, thrown[0].message);
  }
});
