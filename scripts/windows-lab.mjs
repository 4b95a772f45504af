// Windows programs on Linux: Wine, a Windows build of everything, and the real Windows Node, Bun and libSQL. Everything lies below target/windows-lab and
// is kept between runs; remove that folder to begin from nothing.
//
// What Wine proves, and what it does not, is in tests/windows/README.md.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { platformPackage } from "../bindings-node/platforms.mjs";
import { debianPackages, root, run } from "./setup.mjs";

const home = join(root, "target/windows-lab");
const prefix = join(home, "prefix");
/** Where Windows programs find the tests, their modules and the addon. */
const tree = join(home, "tree");
/** Programs that the tests start by name. */
const bin = join(tree, "bin");
export const TARGET = "x86_64-pc-windows-gnu";
const mingw = "x86_64-w64-mingw32-gcc";

/** Without a display, without an own menu, browser or .NET. */
const wine = { WINEDEBUG: "-all", WINEARCH: "win64", WINEPREFIX: prefix, WINEDLLOVERRIDES: "mscoree=;mshtml=;winemenubuilder.exe=", DISPLAY: "", WINEPATH: windows(bin) };

/**
 * How a Windows program is started. With addresses at random Linux puts the heap of Wine's loader anywhere in the gigabyte behind it, now and then where
 * Windows' shared data must be (0x7ffe0000), and that program ends before it starts ("failed to map the shared user data"). Programs that it starts in
 * turn have what it was started with.
 */
const start = spawnSync("setarch", ["-R", "true"], { stdio: "ignore" }).status === 0 ? ["setarch", "-R", "wine"] : ["wine"];

/** What cargo needs to build for Windows and to run what it built. */
const cargo = {
  ...wine,
  CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER: start.join(" "),
  // Wine reads a program from end to end to start it: with what a debugger wants a test program has 77 MB and takes 235 ms, without 7 MB and 27 ms.
  CARGO_PROFILE_DEV_STRIP: "debuginfo",
  // napi-build wants to see the host's library, which is never imported: an addon finds the names of its host when it is loaded.
  LIBNODE_PATH: home,
};

/** A path of ours as a Windows program has it: Wine's drive Z is the root directory. */
export function windows(path) {
  return `Z:${path.replaceAll("/", "\\")}`;
}

/** Makes a DLL of a few lines of C, once. */
function dll(path, code, ...libraries) {
  if (existsSync(path)) return;
  const source = join(home, "dll.c");
  writeFileSync(source, code);
  run(mingw, ["-shared", "-o", `${path}.tmp`, source, ...libraries]);
  renameSync(`${path}.tmp`, path);
  rmSync(source);
}

function winePrefix() {
  const system = join(prefix, "drive_c/windows/system32");
  // Wine 8 lacks it, and no Rust program starts without it.
  const random = join(system, "bcryptprimitives.dll");
  if (existsSync(random)) return;
  console.log("windows lab: wineboot");
  rmSync(prefix, { recursive: true, force: true });
  const env = { ...process.env, ...wine };
  for (const command of [[...start, "wineboot", "--init"], [...start, "winecfg", "-v", "win10"], ["wineserver", "--wait"]]) {
    run(command[0], command.slice(1), { env, stdio: "ignore" });
  }
  dll(
    random,
    `#include <windows.h>
     BOOLEAN WINAPI SystemFunction036(PVOID, ULONG);
     __declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }`,
    "-ladvapi32",
  );
}

function runtimesAndLibraries() {
  const lock = join(root, "tests/windows/package-lock.json");
  const kept = join(tree, "package-lock.json");
  if (existsSync(join(tree, "node_modules/.package-lock.json")) && readFileSync(kept, "utf8") === readFileSync(lock, "utf8")) return;
  mkdirSync(tree, { recursive: true });
  console.log("windows lab: npm ci");
  rmSync(kept, { force: true });
  copyFileSync(join(root, "tests/windows/package.json"), join(tree, "package.json"));
  copyFileSync(lock, `${kept}.new`);
  renameSync(`${kept}.new`, kept);
  run("npm", ["ci", "--force", "--os=win32", "--cpu=x64", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: tree, stdio: ["ignore", "ignore", "inherit"] });
}

/** The debug build of one package; gives the files that came out. */
function build(name) {
  const args = ["build", "--quiet", "--package", name, "--target", TARGET, "--message-format=json-render-diagnostics"];
  const { status, stdout } = spawnSync("cargo", args, { cwd: root, env: { ...process.env, ...cargo }, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) process.exit(1);
  const messages = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return messages.filter(({ package_id: id }) => id?.includes(`${name}@`) || id?.includes("/tests/rust#") || id?.includes("/bindings-node#")).flatMap(({ filenames }) => filenames ?? []);
}

/** What was built here: the addon under the name that it is loaded by, its TypeScript face, the tests and the programs that they start. */
function ours() {
  dll(join(home, "libnode.dll"), "void libnode(void) {}");
  const face = join(tree, "node_modules/cutover");
  for (const part of ["package.json", "dist"]) cpSync(join(root, "bindings-node", part), join(face, part), { recursive: true });
  const addon = build("cutover-node").find((name) => name.endsWith("cutover_node.dll"));
  copyFileSync(addon, platformPackage("win32-x64", join(tree, "node_modules/cutover-win32-x64")));
  mkdirSync(bin, { recursive: true });
  for (const program of build("cutover-tests").filter((name) => name.endsWith(".exe"))) copyFileSync(program, join(bin, program.split("/").at(-1)));
  for (const part of ["tests/dist", "tests/corpus", "tests/node/drizzle", "tests/package.json", "bindings-node/test"]) {
    rmSync(join(tree, part), { recursive: true, force: true });
    cpSync(join(root, part), join(tree, part), { recursive: true });
  }
}

/** Sets up what is missing, and gives how the runtimes of Windows are started. */
export function windowsRuntimes() {
  debianPackages({ wine: "wine wine64", [mingw]: "gcc-mingw-w64-x86-64-win32" });
  if (start.length === 1) console.log("windows lab: setarch -R is refused here: Wine fails to start a program now and then");
  mkdirSync(home, { recursive: true });
  winePrefix();
  runtimesAndLibraries();
  const program = (path) => join(tree, "node_modules", path);
  const bun = program("@oven/bun-windows-x64/bin/bun.exe");
  return { env: wine, bun: [...start, bun], node: { 20: [...start, program("node-20/bin/node.exe")], 22: [...start, program("node-22/bin/node.exe")] } };
}

/** Builds as well, and gives how cargo and the runtimes are started. */
export function windowsLab() {
  const { bun, node } = windowsRuntimes();
  ours();
  return {
    cargo,
    env: { ...wine, CUTOVER_PROGRAMS: windows(bin), CUTOVER_BUN: windows(bun.at(-1)) },
    tree,
    through: join(home, "output"),
    node,
  };
}
