// Everything that a fresh clone needs before anything can run. Node built-ins only: nothing is installed yet.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Ends the program with one line that says what is wrong and what to do. */
export function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Runs a program in the root, gives its output where it is piped, and ends ours when it fails. */
export function run(command, args, options = {}) {
  const { status, signal, error, stdout } = spawnSync(command, args, { cwd: root, stdio: "inherit", maxBuffer: 1 << 28, ...options });
  if (error) fail(`${command} cannot be started: ${error.message}`);
  if (status !== 0) fail(`${[command, ...args].join(" ")} failed (${signal ?? status})`);
  return stdout;
}

function output(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout : null;
}

/** npm's own record of what it installed is newer than the lock file when there is nothing to do. */
export function npmInstall() {
  const installed = join(root, "node_modules/.package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs) return;
  console.log("setup: npm ci");
  run("npm", ["ci", "--no-audit", "--no-fund"], { shell: process.platform === "win32" });
}

export function rustTargets() {
  if (output("cargo", ["--version"]) === null) fail("Rust is missing: install rustup, then start again");
  const installed = output("rustup", ["target", "list", "--installed"]);
  if (installed === null) fail("rustup is missing: this project pins its compiler and targets with it; install rustup, then start again");
  const wanted = /targets = \[(.*?)\]/s.exec(readFileSync(join(root, "rust-toolchain.toml"), "utf8"))[1].match(/[\w-]+/g);
  const missing = wanted.filter((target) => !installed.split("\n").includes(target));
  if (missing.length > 0) run("rustup", ["target", "add", ...missing]);
}

/** In a container and in CI the packages of programs that are missing are installed; on a person's machine they are only named. */
export function debianPackages(tools) {
  const missing = Object.keys(tools).filter((tool) => spawnSync(tool, ["--version"], { stdio: "ignore" }).error);
  if (missing.length === 0) return;
  const asRoot = process.getuid?.() === 0 ? [] : ["sudo"];
  const install = [...asRoot, "apt-get", "install", "--yes", "--no-install-recommends", ...missing.flatMap((tool) => tools[tool].split(" "))];
  if ((asRoot.length > 0 && !process.env.CI) || output("apt-get", ["--version"]) === null) {
    fail(`The tests need ${missing.join(", ")}. Install with: ${install.join(" ")}`);
  }
  console.log(`setup: ${install.join(" ")}`);
  for (const [command, ...args] of [[...asRoot, "apt-get", "update"], install]) run(command, args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** Programs that the tests measure and check with, and the Debian packages that bring them. */
export function testTools() {
  if (process.platform !== "linux") return;
  debianPackages({ sqlite3: "sqlite3", strace: "strace", tmux: "tmux", chromium: "chromium", python3: "python3", "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32" });
}

/** Brings a fresh clone, or one that was pulled, to where the addon, the browser's modules and page, and the TypeScript can run. */
export function setup() {
  npmInstall();
  rustTargets();
  const shell = process.platform === "win32";
  run("npm", ["run", "--silent", "build", "--workspace", "cutover-wasm"], { shell });
  run("npm", ["run", "--silent", "build:debug", "--workspace", "cutover"], { shell });
  run("npm", ["run", "--silent", "build", "--workspace", "cutover-diagnostics"], { shell });
  run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", "tests"]);
}

/** The Bun that npm installed. */
export const bun = process.platform === "win32" ? join(root, "node_modules/bun/bin/bun.exe") : join(root, "node_modules/.bin/bun");
