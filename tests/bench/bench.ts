// Measures the time of an upgrade, beside the least that any upgrade must do: its SQL on a plain
// copy, with no journal, no check and one flush. It asserts nothing, because the time depends on
// the machine. `npm run bench [MB…]`
import { spawnSync } from "node:child_process";
import { closeSync, copyFileSync, fsyncSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "cutover";
import { shell } from "../corpus/compare.js";
import { scratch } from "../corpus/corpus.js";

const V2 = `
  CREATE TABLE schema_info(version TEXT);
  CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body BLOB);
  INSERT INTO note SELECT id, upper(title), body FROM v1.notes;
  CREATE INDEX note_title ON note(title);
  INSERT INTO schema_info VALUES ('v2');`;

/** Makes a v1 of about this size, with rows of 1 KiB. */
function v1(megabytes: number): string {
  const database = join(scratch(), "data.db");
  shell(
    database,
    `PRAGMA journal_mode=WAL; CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT NOT NULL, body BLOB);
     INSERT INTO notes(title, body) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${megabytes * 970})
       SELECT 'note ' || n, randomblob(1000) FROM c;`,
  );
  return database;
}

function plain(database: string): void {
  const backup = `${database}.backup`;
  copyFileSync(database, backup);
  const target = `${database}.v2`;
  const sql = `PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; ATTACH '${backup}' AS v1; BEGIN; ${V2} COMMIT;`;
  const { status, stderr } = spawnSync("sqlite3", ["-bail", target], {
    input: sql,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  const handle = openSync(target, "r+");
  fsyncSync(handle);
  closeSync(handle);
}

async function ms(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const sizes = process.argv.slice(2).map(Number);
const table = [];
for (const megabytes of sizes.length > 0 ? sizes : [1, 10, 50, 200]) {
  const [one, two] = [v1(megabytes), v1(megabytes)];
  const least = await ms(() => plain(one));
  const ours = await ms(() =>
    migrate({
      path: two,
      label: "v1-v2",
      detect: { stamp: { table: "schema_info", column: "version", value: "v2" } },
      make: { from: "empty", run: { sql: V2 } },
    }),
  );
  table.push({
    "v1 (MB)": (statSync(one).size / 1e6).toFixed(1),
    "copy + SQL (ms)": Math.round(least),
    "cutover (ms)": Math.round(ours),
    ratio: (ours / least).toFixed(2),
  });
}
console.table(table);
