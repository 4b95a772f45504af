// The incident behind this project, with the real libSQL for Windows: leaked connections hold v1
// and the staging file of v2.
//
// Under Wine it proves the gnu build of the addon with the file sharing of Wine; see README.md
// beside it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { onWindows, program, RUNTIMES, scratch } from "../corpus/corpus.js";
import type { Round } from "./incident.js";

const ROUNDS = 51;
const runtimes = process.env.CUTOVER_BUN === "" ? (["node"] as const) : (["node", "bun"] as const);

const ended = promisify(execFile);

// The tests run in parallel, because they mostly wait for leaked connections.
describe("the incident", { concurrency: 3 }, () => {
  for (const runtime of onWindows ? runtimes : []) {
    for (const release of ["collected", "late", "never"]) {
      test(`${runtime}: ${ROUNDS} of ${ROUNDS} upgrades succeed where the leaked connections are ${release === "never" ? "never released" : release === "late" ? "released late" : "collected"}`, async () => {
        const expose = runtime === "node" ? ["--expose-gc"] : [];
        const { stdout } = await ended(RUNTIMES[runtime], [
          ...expose,
          program("windows/incident.js"),
          scratch(),
          String(ROUNDS),
          release,
        ]);
        const rounds = stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Round);
        assert.equal(rounds.length, ROUNDS);
        for (const [number, round] of rounds.entries()) {
          const told = `round ${number}: ${JSON.stringify(round)}`;
          // The two plain renames of the old release, just before in this process.
          assert.deepEqual(round.old, ["EPERM", "EBUSY", "EBUSY"], told);
          assert.equal(round.result?.outcome, "migrated", told);
          assert.deepEqual(round.backup, [1, "3|note 1,note 2,note 3\nok"], told);
          // The live application and another process see each other's rows.
          assert.deepEqual(round.live, [5, "5\nok"], told);
          assert.equal(round.again, "current", told);
          assert.ok(round.waitedMs <= 600, told);
          // A later start removes a file that a program kept open, and the files that the clean-up
          // removes after it.
          const rest = round.names.filter(
            (name) =>
              !/^data\.db\.(building|install)-\*|^data\.db\.v1-v2-cutover\.json$/.test(name),
          );
          assert.deepEqual(rest, ["data.db", "data.db.v1-v2-*", "data.db.v1-v2-*.json"], told);
          if (release !== "never") assert.equal(round.names.length, 3, told);
        }
        if (release === "never") {
          const strategies = new Set(
            rounds.filter(({ place }) => place !== "staging").map(({ result }) => result?.strategy),
          );
          assert.deepEqual([...strategies], ["page-copy"]);
        }
      });
    }
  }
});
