// The explorer in its worker, and in the package `cutover`: the counts of the same Rust without
// WebAssembly, the progress, and cancellation.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as node from "cutover/pure";
import { explore, replayCrash } from "cutover-wasm/explore";
import { native } from "./native.mjs";

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
  test(`the crash matrix of ${asked.strategy} on ${asked.platform} is the one without WebAssembly`, async () => {
    const told = [];
    const matrix = await explore(asked, { onProgress: (progress) => told.push(progress) });
    const [answer] = native([["explore", JSON.stringify(asked)]]);
    assert.deepEqual(matrix, JSON.parse(answer).ok);
    assert.deepEqual(await node.explore(asked), matrix);
    assert.deepEqual(told.at(-1).done, told.at(-1).total);
    assert.ok(told.every(({ done }, at) => at === 0 || done > told[at - 1].done));
    assert.equal(matrix.bad, 0);
    assert.equal(matrix.broken > 0, asked.strategy === "two-rename");
  });
}

test("the explorer tells every crash", async () => {
  const matrix = await node.explore(question("two-rename", ["M0"]));
  const { replay } = matrix.cells
    .flat()
    .flatMap(({ crashes }) => crashes)
    .find(({ broken }) => broken);
  const story = await replayCrash(replay);
  assert.deepEqual(story, await node.replayCrash(replay));
  assert.deepEqual(story, JSON.parse(native([["replayCrash", replay]])[0]).ok);
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

test("both packages refuse a wrong question alike", async () => {
  for (const wrong of [
    {},
    question("restore", ["M0"]),
    question("link-replace", []),
    question("link-replace", ["Windows"]),
  ]) {
    const thrown = await Promise.all(
      [node, { explore }].map((side) =>
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
