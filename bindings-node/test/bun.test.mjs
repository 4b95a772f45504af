// Runs these tests on Bun.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { assertUpgraded, V2, seed } from "./support.mjs";

const bun = process.env.CUTOVER_BUN ?? createRequire(import.meta.url).resolve("bun/bin/bun.exe");
const files = readdirSync(new URL(".", import.meta.url)).filter(
  (name) => name.endsWith(".test.mjs") && name !== "bun.test.mjs",
);

// An empty string means to test without Bun.
for (const file of bun ? files : [])
  test(`${file} passes on Bun`, () => {
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    const { status, stderr } = spawnSync(bun, ["test", "--timeout=60000", `./${file}`], {
      cwd,
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /\n 0 fail\n(?:.*\n)?Ran \d+ tests? across 1 file/);
  });

// Under Wine the bundler of Bun cannot read its own directory ("ENOENT opening root directory").
if (bun && !process.env.WINEPREFIX)
  test("a program that Bun compiled contains the addon and the command line", () => {
    const [place, program] = [seed(), seed(null).directory];
    const libc = process.platform === "linux" ? "-gnu" : "";
    const platform = `cutover/${process.platform}-${process.arch}${libc}`;
    const { resolve } = createRequire(import.meta.url);
    const entry = JSON.stringify(resolve(platform));
    const cli = resolve("cutover/cli");
    const options = JSON.stringify({
      path: place.path,
      label: "v1-v2",
      detect: { userVersion: 2 },
      make: { from: "empty", run: { sql: V2 } },
    });
    writeFileSync(
      join(program, "app.ts"),
      `import { migrate } from ${entry}; import { main } from ${JSON.stringify(cli)};
       const options = ${options} as const;
       if (process.argv[2] === "db") process.exitCode = await main(process.argv.slice(3), { name: "app db", migrate: options });
       else console.log((await migrate(options)).outcome);`,
    );
    const built = spawnSync(bun, ["build", "--compile", "app.ts", "--outfile", "app.exe"], {
      cwd: program,
      encoding: "utf8",
    });
    assert.equal(built.status, 0, built.stderr);
    const run = (...words) =>
      spawnSync(join(program, "app.exe"), words, { cwd: program, encoding: "utf8", env: {} });
    const { stdout, stderr } = run();
    assert.equal(stdout, "migrated\n", stderr);
    assertUpgraded(place);
    const backups = run("db", "backups");
    assert.match(backups.stdout, /^data\.db\.v1-v2-\S+ .* whole$/m, backups.stderr);
  });
