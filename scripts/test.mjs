// `npm test`: set-up, checks, and every test there is. The last line is the sum; the status is 1 when anything failed.
import { spawn } from "node:child_process";
import { accessSync, constants, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { root, setup, testTools } from "./setup.mjs";

testTools();
setup();

let passed = 0;
let failed = 0;

/** Runs one stage, shows what it prints, and counts its tests. A stage that fails without a failed test counts as one. */
async function stage(name, [command, ...args], { env = {}, count } = {}) {
  console.log(`\n── ${name}: ${[command, ...args].slice(0, 6).join(" ")}${args.length > 5 ? " …" : ""}`);
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  const status = await new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on("close", resolve);
  });
  const before = failed;
  const sum = (pattern) => [...output.matchAll(pattern)].reduce((total, [, n]) => total + Number(n), 0);
  if (count) {
    const tests = sum(count.passed);
    passed += tests;
    failed += sum(count.failed);
    if (tests === 0) {
      console.error(`${name}: no test was run`);
      failed += failed === before ? 1 : 0;
    }
  }
  if (status !== 0 && failed === before) failed += 1;
  if (status !== 0) console.error(`✖ ${name} failed`);
}

const cargoTests = { passed: /^test result: .*? (\d+) passed/gm, failed: /^test result: .*?; (\d+) failed/gm };
const nodeTests = { passed: /^ℹ pass (\d+)$/gm, failed: /^ℹ (?:fail|cancelled|skipped|todo) (\d+)$/gm };
const explored = { passed: /^explore: (\d+) passed/gm, failed: /^explore: \d+ passed, (\d+) failed/gm };
const node = process.execPath;

await stage("format", ["cargo", "fmt", "--all", "--check"]);
await stage("lints", ["cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
await stage("docs", ["cargo", "doc", "--quiet", "--workspace", "--no-deps"], { env: { RUSTDOCFLAGS: "-D warnings" } });
await stage("Windows compiles", ["cargo", "check", "--quiet", "--package", "cutover", "--target", "x86_64-pc-windows-gnu"], { env: { RUSTFLAGS: "-D warnings" } });
await stage("types are the Rust types", [node, "scripts/generate-types.mjs", "--check"]);
await stage("core is pure", [node, "scripts/check-purity.mjs"]);
await stage("Rust", ["cargo", "test", "--quiet", "--workspace"], { count: cargoTests });
await stage("core on wasm32", [node, "scripts/run-wasi.mjs"], { count: cargoTests });
const explore = ["cargo", "run", "--quiet", "--release", "--package", "cutover-explore", "--"];
await stage("every crash state", [...explore, "--full"], { count: explored });
await stage("programs for the campaign", ["cargo", "build", "--quiet", "--package", "cutover-tests"]);
await stage("Node and Bun", [node, "--test", "--test-reporter=spec", "--test-timeout=900000", ...tests()], { env: memoryDisk(), count: nodeTests });

console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function tests() {
  return ["tests/dist", "bindings-node/test", "bindings-wasm/test"].flatMap((directory) => {
    try {
      return readdirSync(join(root, directory), { recursive: true })
        .filter((name) => /\.test\.m?js$/.test(name))
        .map((name) => join(directory, name));
    } catch {
      return [];
    }
  });
}

/** A kill loses nothing that a flush would have saved, so the hundreds of databases of these tests may lie in memory, where there is room. */
function memoryDisk() {
  try {
    accessSync("/dev/shm", constants.W_OK);
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > 1 << 28 ? { TMPDIR: "/dev/shm" } : {};
  } catch {
    return {};
  }
}
