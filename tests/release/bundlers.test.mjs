// The recipes of docs/bundlers.md as they stand there: each bundles an application that has the packages from their tarballs alone, and what it made runs in an empty folder.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { PLATFORMS } from "../../bindings-node/platforms.mjs";
import { windows as windowsPath } from "../../scripts/windows-lab.mjs";
import { SQL, folder, install, root, seeded } from "./support.mjs";

const lab = process.env.CUTOVER_RELEASE_LAB;
const { createPackageWithOptions, extractFile } = await import(createRequire(join(lab, "package.json")).resolve("@electron/asar"));
const PATH = [join(lab, "node_modules/.bin"), join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
const [guide, ...sections] = readFileSync(join(root, "docs/bundlers.md"), "utf8").split(/^## /m);
const blocks = (text, kind) => [...text.matchAll(new RegExp(`\`\`\`${kind}\\n([^]*?)\`\`\``, "g"))].map(([, code]) => code);
const [entry] = blocks(guide, "js");
/** Where the programs of the lab are found: below it. */
const bundlers = join(lab, "bundlers");
mkdirSync(bundlers, { recursive: true });

function shell(command, cwd) {
  // The program is in the lab, not in the application's own folder.
  const { status, stdout, stderr } = spawnSync("sh", ["-euc", command.replaceAll(/^npx /gm, "")], { cwd, encoding: "utf8", env: { ...process.env, PATH } });
  assert.equal(status, 0, `${command}\n${stdout}${stderr}`);
  return stdout;
}

/** An application that upgrades the database of its argument. */
function application(platform = "linux-x64-gnu") {
  const app = folder(bundlers);
  cpSync(join(install(PLATFORMS[platform]), "node_modules"), join(app, "node_modules"), { recursive: true });
  writeFileSync(join(app, "package.json"), '{ "private": true }\n');
  const options = `{ path: process.argv[2], label: "v1-v2", detect: { userVersion: 2 }, make: { from: "empty", run: { sql: ${JSON.stringify(SQL)} } } }`;
  writeFileSync(join(app, "app.mjs"), `${entry.replace("linux-x64-gnu", platform)}migrate(${options}).then((result) => console.log(result.outcome));\n`);
  return app;
}

function assertUpgrades(command, cwd, named = (path) => path) {
  const path = seeded();
  assert.equal(shell(`${command} '${named(path)}'`, cwd).trim(), "migrated");
  assert.equal(execFileSync("sqlite3", [path, "SELECT group_concat(body) FROM note; PRAGMA user_version;"], { encoding: "utf8" }), "milk,bread\n2\n");
}

for (const section of sections) {
  const name = section.split("\n")[0];
  for (const [index, recipe] of blocks(section, "sh").entries())
    test(`${name}${index > 0 ? `, recipe ${index + 1}` : ""}`, () => {
      const app = application();
      for (const code of blocks(section, "js")) writeFileSync(join(app, /^\/\/ (\S+)/.exec(code)[1]), code);
      const lines = recipe.trim().split("\n");
      const run = lines.pop();
      for (const line of lines) shell(line, app);
      if (!existsSync(join(app, "dist"))) return assertUpgrades(run, app);
      const alone = folder();
      cpSync(join(app, "dist"), join(alone, "dist"), { recursive: true });
      return assertUpgrades(run, alone);
    });
}

// Under Wine Bun unpacks nothing that a compiled program contains ("LoadLibrary failed"), so there the addon is named.
test("a program that Bun compiled for Windows contains the addon for Windows, and upgrades", () => {
  const windows = JSON.parse(process.env.CUTOVER_RUNTIMES).findLast(({ platform, name }) => platform === "win32-x64" && name === "Bun");
  const app = application("win32-x64");
  // Bun's own Windows program, which it would fetch otherwise.
  const runtime = windows.command.at(-1);
  shell(`bun build --compile --target=bun-windows-x64 --compile-executable-path='${runtime}' --outfile=app.exe app.mjs`, app);
  const addon = join(app, "node_modules/cutover-win32-x64/cutover.node");
  assert.ok(readFileSync(join(app, "app.exe")).includes(readFileSync(addon)));
  const environment = Object.entries({ ...windows.env, CUTOVER_NATIVE_PATH: windowsPath(addon) }).map(([key, value]) => `${key}='${value}'`);
  const start = [...environment, ...windows.command.slice(0, -1)].join(" ");
  assertUpgrades(`${start} '${join(app, "app.exe")}'`, folder(), windowsPath);
});

test("Electron's asar archive leaves the addon outside", async () => {
  const app = application();
  const archive = join(folder(), "app.asar");
  const [, unpack] = /asarUnpack": \["(.+?)"\]/.exec(sections.find((section) => section.startsWith("Electron")));
  await createPackageWithOptions(app, archive, { unpack });
  const addon = "node_modules/cutover-linux-x64-gnu/cutover.node";
  assert.ok(existsSync(join(`${archive}.unpacked`, addon)));
  assert.ok(extractFile(archive, "node_modules/cutover/package.json").length > 0);
  assert.deepEqual(readdirSync(`${archive}.unpacked/node_modules`), ["cutover-linux-x64-gnu"]);
});
