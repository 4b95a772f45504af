// How the addon is found: at the first call, for this platform, or not at all. Each test loads a
// copy of the package in a process of its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertUntouched, assertUpgraded, options, seed } from "./support.mjs";

const require = createRequire(import.meta.url);
const face = dirname(require.resolve("cutover/package.json"));
const { exports } = require("cutover/package.json");
const entries = readdirSync(join(face, "dist/platforms")).filter((name) => name.endsWith(".js"));
const platforms = entries.map((name) => name.replace(".js", ""));
/** The platform of this machine: the only one that the tree has an addon for. */
const [platform] = platforms.filter((name) => installed(name));

function installed(name) {
  const from = createRequire(join(face, "dist/native.js"));
  try {
    return from.resolve(`cutover-${name}`);
  } catch {
    return undefined;
  }
}

/** A folder in which the package is installed, with the addon or without. */
function install(addon) {
  const { directory } = seed(null);
  const place = (name) => join(directory, "node_modules", name);
  cpSync(join(face, "dist"), join(place("cutover"), "dist"), { recursive: true });
  copyFileSync(join(face, "package.json"), join(place("cutover"), "package.json"));
  if (addon) cpSync(dirname(installed(platform)), place(`cutover-${platform}`), { recursive: true });
  return directory;
}

/** Runs a program there, and gives what it prints. */
function run(directory, program, env = {}) {
  const file = join(directory, "program.cjs");
  writeFileSync(file, program);
  const { stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return stdout.trim() || stderr;
}

const upgrade = (path, entry = "cutover") =>
  `require(${JSON.stringify(entry)}).migrate(${JSON.stringify(options(path))}).then(
    ({ outcome }) => console.log(outcome),
    ({ message, code }) => console.log(message, code),
  );`;

test("an import loads two files, and the first call that needs the addon loads it", () => {
  const place = seed();
  const program = `const cutover = require("cutover");
    const loaded = (end) => Object.keys(require.cache).filter((name) => name.endsWith(end)).length;
    console.log(loaded(".js"), loaded(".node"));
    const { explainError, diagnose } = require("cutover/pure");
    if (explainError("cutover:IO").code !== "IO" || !diagnose({})) throw new Error("pure");
    console.log(loaded(".node"));
    cutover.inspect(${JSON.stringify(place.path)}, {}).then(() => console.log(loaded(".node")));`;
  assert.deepEqual(run(install(true), program).split("\n"), ["2 0", "0", "1"]);
});

test("without an addon a call says what was tried and what to do, and the pure functions work", () => {
  const place = seed();
  const directory = install(false);
  assert.match(
    run(directory, upgrade(place.path)),
    new RegExp(
      `^cutover has no addon for ${platform} \\((Node|Bun) [\\d.]+\\): the package cutover-${platform} ` +
        `brings it, but: .*cutover-${platform}.*\\. Install cutover on this system, with its optional ` +
        `dependencies; .* imports cutover/${platform} instead .* CUTOVER_NATIVE_PATH .*\\. ` +
        `Nothing was touched\\. CUTOVER_NO_ADDON$`,
    ),
  );
  assertUntouched(place);
  const pure = `const pure = require("cutover/pure");
    pure.replayCrash("x").then((story) => console.log(pure.explainError("cutover:HELD").code,
      pure.diagnose({ text: "#IO" }).explanation.code, story));`;
  assert.equal(run(directory, pure), "HELD IO null");
});

test("CUTOVER_NATIVE_PATH names the addon, and a wrong one is refused", () => {
  const place = seed();
  const directory = install(false);
  const addon = join(directory, "elsewhere.node");
  const text = join(directory, "text.node");
  writeFileSync(text, "no addon");
  const named = (path) => run(directory, upgrade(place.path), { CUTOVER_NATIVE_PATH: path });
  for (const [path, why] of [
    ["elsewhere.node", /is elsewhere\.node, which is not an absolute path\. Correct it, or remove it/],
    [addon, /elsewhere\.node, but: .+\. Correct it, or remove it.*Nothing was touched/],
    [text, /text\.node, but: .+\. Correct it, or remove it/],
  ]) {
    assert.match(named(path), why);
    assertUntouched(place);
  }
  copyFileSync(installed(platform), addon);
  assert.equal(named(addon), "migrated");
  assertUpgraded(place);
});

test("the entry of a platform takes its own addon, and refuses another system", () => {
  const place = seed();
  const directory = install(true);
  const other = platforms.find((name) => name !== platform);
  const fake = join(directory, "node_modules", `cutover-${other}`);
  mkdirSync(fake);
  writeFileSync(join(fake, "index.js"), "throw new Error('the wrong system')");
  assert.match(
    run(directory, upgrade(place.path, `cutover/${other}`)),
    new RegExp(`contains the addon for ${other}, but: .*\\. Build it with cutover/${platform} for`),
  );
  assertUntouched(place);
  assert.equal(run(directory, upgrade(place.path, `cutover/${platform}`)), "migrated");
  assertUpgraded(place);
});

test("each platform has an entry, its types and its package", async () => {
  const { PLATFORMS } = await import(pathToFileURL(join(face, "platforms.mjs"))).catch(() => ({}));
  // The lab has the package alone.
  if (PLATFORMS) assert.deepEqual(platforms.toSorted(), Object.keys(PLATFORMS).sort());
  assert.deepEqual(
    Object.keys(exports).sort(),
    [
      ".",
      "./pure",
      "./cli",
      "./testing",
      "./cli.schema.json",
      "./package.json",
      ...platforms.map((name) => `./${name}`),
    ].sort(),
  );
  for (const { types, default: file } of Object.values(exports).filter((entry) => entry.types))
    assert.ok(existsSync(join(face, types)) && existsSync(join(face, file)), file);
  const { os, cpu } = require(join(dirname(installed(platform)), "package.json"));
  assert.deepEqual([os, cpu], [[process.platform], [process.arch]]);
});

// A program names the loader that starts it. Here a file that says musl's stands for the runtime.
if (process.platform === "linux")
  test("musl and glibc are told apart by the runtime's own loader", () => {
    const directory = install(true);
    for (const [loader, libc] of [
      ["/lib/ld-musl-x86_64.so.1", "musl"],
      ["/lib64/ld-linux-x86-64.so.2", "gnu"],
      [undefined, "gnu"],
    ]) {
      const elf = join(directory, "runtime");
      writeFileSync(elf, program(loader));
      const pretend = `Object.defineProperty(process, "execPath", { value: ${JSON.stringify(elf)} });`;
      const said = run(directory, pretend + upgrade("/nowhere/data.db"), {
        CUTOVER_NATIVE_PATH: "relative.node",
      });
      assert.match(said, new RegExp(`^cutover has no addon for linux-${process.arch}-${libc} `));
    }
  });

/** The headers of an ELF file with one segment before the one that names the loader. */
function program(loader) {
  const file = Buffer.alloc(64 + 2 * 56 + 64);
  file.write("\x7fELF", 0, "latin1");
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(loader ? 2 : 1, 56);
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(3, 120);
  file.writeBigUInt64LE(176n, 128);
  file.writeBigUInt64LE(BigInt((loader ?? "").length + 1), 152);
  file.write(loader ?? "", 176, "latin1");
  return file;
}
