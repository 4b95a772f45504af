// The packages as they are published: what is in them, what npm installs where, and what their
// addons want of a system.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PLATFORMS } from "../../bindings-node/platforms.mjs";
import { MOST } from "../../scripts/cross-build.mjs";
import { elf, machO, pe } from "./binary.mjs";
import { addons, contents, install, packed, root, tarballs } from "./support.mjs";

const manifest = (name) => JSON.parse(packed(name, "package.json"));

test("there are the packages of one release", (t) => {
  const platforms = Object.keys(PLATFORMS).map((name) => `cutover-${name}`);
  assert.deepEqual(Object.keys(tarballs).sort(), ["cutover", "cutover-wasm", ...platforms].sort());
  const { version, optionalDependencies } = manifest("cutover");
  assert.deepEqual(optionalDependencies, Object.fromEntries(platforms.map((name) => [name, version])));
  for (const name of Object.keys(tarballs)) {
    const { scripts, dependencies, private: kept, ...rest } = manifest(name);
    assert.deepEqual([scripts, dependencies, kept, rest.version], [undefined, undefined, undefined, version]);
    const files = contents(name);
    const size = files.reduce((sum, file) => sum + file.size, 0);
    t.diagnostic(`${name}: ${files.length} files, ${size} bytes`);
    assert.ok(files.some(({ file }) => file === "LICENSE"));
    const allowed = /^(?:LICENSE|NOTICES\.txt|README\.md|package\.json|dist\/.+\.(?:js|d\.ts|wasm)|dist\/cli\.schema\.json|dist\/cli\/licenses\.txt|cutover\.node)$/;
    assert.deepEqual(files.filter(({ file }) => !allowed.test(file)), []);
  }
  for (const name of addons) {
    const [{ size }] = contents(name).filter(({ file }) => file === "cutover.node");
    assert.ok(size <= MOST, `${name}: ${size}`);
  }
});

test("each package has the licences of what is compiled into it", () => {
  for (const name of Object.keys(tarballs)) {
    const text = packed(name, "NOTICES.txt").toString();
    const crates = addons.includes(name) ? ["rusqlite", "libsqlite3-sys", "serde_json", "sha2"] : ["serde_json", "sha2", "wasm-bindgen"];
    for (const crate of crates) assert.match(text, new RegExp(`^- ${crate} [\\d.]+`, "m"), `${name}: ${crate}`);
    assert.match(text, /Permission is hereby granted/);
  }
});

test("what the command line contains of other packages comes with their licences", () => {
  const licences = packed("cutover", "dist/cli/licenses.txt").toString();
  for (const name of ["cli-progress", "leven", "pretty-bytes", "string-width", "emoji-regex"])
    assert.match(licences, new RegExp(`^${name} [\\d.]+\\n\\n.*(?:Copyright|MIT)`, "m"), name);
});

test("no file of a package names a folder of the machine that built it", () => {
  for (const name of Object.keys(tarballs))
    for (const { file } of contents(name).filter(({ file }) => file !== "README.md"))
      for (const folder of [root, homedir()]) assert.ok(!packed(name, file).includes(join(folder, "/")), `${name}/${file}: ${folder}`);
});

for (const [platform, { os, cpu, libc }] of Object.entries(PLATFORMS)) {
  test(`npm installs the addon for ${platform} there, and no other`, () => {
    const installed = readdirSync(join(install({ os, cpu, libc }), "node_modules"));
    assert.deepEqual(installed.filter((name) => !name.startsWith(".")), ["cutover", `cutover-${platform}`]);
  });

  test(`the addon for ${platform} is for its processor and wants no more of the system than stated`, () => {
    const file = packed(`cutover-${platform}`, "cutover.node");
    const read = { linux: elf, darwin: machO, win32: pe }[os](file);
    assert.equal(read.cpu, cpu);
    assert.ok(read.exports.includes("napi_register_module_v1"));
    if (libc === "glibc") assert.ok(read.glibc <= 17, `GLIBC_2.${read.glibc}`);
    if (libc === "musl") assert.equal(read.glibc, undefined);
    if (os === "darwin") assert.ok(read.minimum <= 11, `macOS ${read.minimum}`);
    assert.deepEqual(read.libraries.filter((name) => !LIBRARIES[libc ?? os].test(name)), []);
  });
}

/** What each system has. */
const LIBRARIES = {
  glibc: /^(?:libc|libm|libdl|libpthread|librt|libgcc_s|ld-linux-[\w-]+)\.so\.\d$/,
  musl: /^libc\.so$/,
  win32: /^(?:kernel32|ntdll|advapi32|rstrtmgr|userenv|ws2_32|bcryptprimitives|msvcrt|api-ms-win-[\w-]+)\.dll$/i,
  darwin: /^\/usr\/lib\/lib(?:System\.B|iconv\.2)\.dylib$|^\/System\/Library\/Frameworks\//,
};

for (const name of Object.keys(tarballs))
  test(`publint and attw find nothing in ${name}`, () => {
    const run = (tool, ...args) => {
      const program = join(process.env.CUTOVER_RELEASE_LAB, "node_modules/.bin", tool);
      const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
      assert.equal(status, 0, stdout + stderr);
    };
    run("publint", "run", "--strict", tarballs[name]);
    // A platform's package has a binary alone, and no types.
    if (!addons.includes(name)) run("attw", tarballs[name], "--profile", name === "cutover-wasm" ? "esm-only" : "node16");
  });
