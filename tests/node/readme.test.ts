// The JavaScript of README, docs/guide.md and docs/cli.md: it compiles, and the two applications that it shows upgrade. (The runner's documentation tests compile
// the guide's Rust.)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { shell } from "../corpus/compare.js";
import { RUNTIMES, scratch } from "../corpus/corpus.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const pages = ["README.md", "docs/guide.md", "docs/cli.md"].map((page) => join(root, page));
/** Where modules are found. */
const place = mkdtempSync(join(root, "tests/dist/readme-"));
process.on("exit", () => rmSync(place, { recursive: true }));

/** The declarations that the samples need. */
const BEFORE = `import { adoptBackup, listBackups, migrate, pruneBackups, recover, restore, type MigrateOptions } from "cutover";
declare const options: MigrateOptions, path: string, auth: string, bundle: string;
declare const undoOfV2: NonNullable<MigrateOptions["undo"]>;`;

// The Windows lab has no page: what the pages show is JavaScript for every system.
if (pages.every((page) => existsSync(page))) {
  const samples = pages.flatMap((page) => readFileSync(page, "utf8").split("```ts\n").slice(1)).map((text) => text.split("```")[0] as string);
  const whole = samples.filter((sample) => sample.startsWith("import { lock") || sample.startsWith("import { pathToFileURL"));

  test("the samples compile", () => {
    assert.deepEqual([samples.length, whole.length], [6, 2]);
    const files = samples.map((sample, at) => {
      const file = join(place, `${at}.mts`);
      writeFileSync(file, whole.includes(sample) || sample.includes("cutover/cli") ? sample : `${BEFORE}\n${sample}`);
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
        "--types",
        "node",
        ...files,
      ],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stdout);
  });

  for (const [runtime, program] of Object.entries(RUNTIMES)) {
    for (const [at, page] of ["README", "guide"].entries()) {
      // A folder that a URL, a pattern or SQL would read in another way. Windows allows fewer.
      const folders = ["O'Brien", "50%", "a%41b", "c#", ...(process.platform === "win32" ? [] : ["what?", 'a "quoted" one', "two\nlines"])];
      for (const folder of folders) test(`the application of the ${page} upgrades in ${JSON.stringify(folder)} (${runtime})`, () => {
        const directory = join(scratch(), folder);
        mkdirSync(directory);
        const path = join(directory, "data.db");
        shell(path, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL); INSERT INTO notes (text) VALUES ('milk'), ('bread'); PRAGMA user_version = 1;");
        const file = join(place, `${page}-${runtime}.mjs`);
        writeFileSync(file, (whole[at] as string).replace('"/home/me/.app/data.db"', JSON.stringify(path)));
        const { stdout, stderr } = spawnSync(program, [file], { encoding: "utf8" });
        assert.match(stdout, /^Migrated local data to v2; moved old DB to [^]*data\.db\.v1-v2-\d+-[0-9a-f]{8}\n$/, stderr);
        assert.deepEqual(shell(path, "SELECT body FROM note ORDER BY id; PRAGMA user_version;"), ["milk", "bread", "2"]);
      });
    }
  }
}
