// The JavaScript of the README compiles, and its daemon upgrades. (The documentation tests of the
// runner compile its Rust.)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { shell } from "../corpus/compare.js";
import { RUNTIMES, scratch } from "../corpus/corpus.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const readme = join(root, "README.md");
/** The directory where the samples find modules. */
const place = mkdtempSync(join(root, "tests/dist/readme-"));
process.on("exit", () => rmSync(place, { recursive: true }));

/** The declarations that the samples need. */
const BEFORE = `import { listBackups, migrate, pruneBackups, restore, type MigrateOptions } from "cutover";
declare const options: MigrateOptions, path: string, auth: string, bundle: string;`;

// The Windows lab has no README, whose JavaScript depends on no system.
if (existsSync(readme)) {
  const samples = readFileSync(readme, "utf8")
    .split("```ts\n")
    .slice(1)
    .map((text) => text.split("```")[0] as string);

  test("the samples of the README compile", () => {
    assert.equal(samples.length, 3);
    const files = samples.map((sample, at) => {
      const file = join(place, `${at}.mts`);
      writeFileSync(file, at === 0 ? sample : `${BEFORE}\n${sample}`);
      return file;
    });
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(
      process.execPath,
      [
        tsc,
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2023",
        "--module",
        "nodenext",
        ...files,
      ],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stdout);
  });

  for (const [runtime, program] of Object.entries(RUNTIMES)) {
    test(`the daemon of the README upgrades (${runtime})`, () => {
      const directory = join(scratch(), "O'Brien");
      mkdirSync(directory);
      const path = join(directory, "data.db");
      shell(
        path,
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL); INSERT INTO notes (text) VALUES ('milk'), ('bread'); PRAGMA user_version = 1;",
      );
      const file = join(place, `${runtime}.mjs`);
      writeFileSync(
        file,
        (samples[0] as string).replace('"/home/me/.app/data.db"', JSON.stringify(path)),
      );
      const { stdout, stderr } = spawnSync(program, [file], { encoding: "utf8" });
      assert.match(
        stdout,
        /^Migrated local data to v2; moved old DB to .*data\.db\.v1-v2-\d+-[0-9a-f]{8}\n$/,
        stderr,
      );
      assert.deepEqual(shell(path, "SELECT body FROM note ORDER BY id; PRAGMA user_version;"), [
        "milk",
        "bread",
        "2",
      ]);
    });
  }
}
