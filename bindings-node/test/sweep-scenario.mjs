// A sample upgrade for the sweep. CUTOVER_PLANT names a fault that is planted in it.
import assert from "node:assert/strict";
import { existsSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "cutover";
import { shell } from "./support.mjs";

const plant = process.env.CUTOVER_PLANT;
const at = (directory) => join(directory, "data.db");

export function seed(directory) {
  shell(
    at(directory),
    `PRAGMA journal_mode=WAL; PRAGMA user_version=1; CREATE TABLE notes(body); CREATE TABLE tags(name);
     INSERT INTO notes VALUES ('a'), ('b'); INSERT INTO tags VALUES ('x');`,
  );
}

export const start = ({ directory, options }) =>
  migrate(
    options({
      path: at(directory),
      label: "v1-v2",
      waitMs: plant === "keeps-open" ? 300 : 10_000,
      detect: async (db) =>
        (await db.all("PRAGMA user_version"))[0].user_version < 2 ? "old" : "current",
      make: { from: "empty", run: (job) => build(directory, job) },
      verify: async (v2) => assert.equal((await v2.all("SELECT 1 FROM note")).length >= 2, true),
      undo: () => rmSync(join(directory, "mark"), { force: plant !== "not-idempotent" }),
      cleanup: () => rmSync(join(directory, "mark"), { force: true }),
    }),
  );

async function build(directory, job) {
  const source = await job.source();
  await job.saveState({ mark: true });
  // Kept for an undo, which removes it.
  if (plant === "not-idempotent" || !existsSync(join(directory, "mark")))
    writeFileSync(join(directory, "mark"), "", { flag: "wx" });
  if (plant === "outside") writeFileSync(join(directory, "settings.json"), job.nonce);
  if (plant === "beside") writeFileSync(join(directory, "../beside.json"), job.nonce);
  if (plant === "keeps-open") globalThis.kept = openSync(at(directory), "r");
  if (plant === "never-settles") await new Promise((_, __, wait = setInterval(() => {}, 1000)) => wait);
  const tags = plant === "forgets" ? "" : "INSERT INTO tag SELECT name FROM v1.tags;";
  shell(
    job.staging,
    `ATTACH '${source.replaceAll("'", "''")}' AS v1; CREATE TABLE note(body); CREATE TABLE tag(name);
     INSERT INTO note SELECT body FROM v1.notes; ${tags} PRAGMA user_version=2;`,
  );
}

export function check({ directory, wrote, result }) {
  const read = "SELECT group_concat(body) FROM note; SELECT group_concat(name) FROM tag;";
  assert.equal(shell(at(directory), read), `a,b${wrote ? ",c" : ""}\nx`);
  assert.ok(["migrated", "current"].includes(result.outcome));
}

export function write(directory) {
  shell(at(directory), "INSERT INTO notes VALUES ('c')");
}
