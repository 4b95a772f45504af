// `npm test`: set-up, checks, and every test there is. The last line is the sum; the status is 1 when anything failed.
import { accessSync, constants, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { root, setup, testTools } from "./setup.mjs";
import { lints } from "./lints.mjs";
import { cargoTests, nodeTest, nodeTests, stage, sum } from "./stage.mjs";

testTools();
setup();

const explored = { passed: /^explore: (\d+) passed/gm, failed: /^explore: \d+ passed, (\d+) failed/gm };
const onWindows = { passed: /^on Windows: (\d+) passed/gm, failed: /^on Windows: \d+ passed, (\d+) failed/gm };
const node = process.execPath;

// The explorer needs nothing of what is tested meanwhile: it takes what the other stages leave of the cores.
const explore = (which) => ["cargo", "run", "--quiet", "--release", "--package", "cutover-explore", "--", which];
const explorer = (async () => {
  await stage("every crash state", explore("--full"), { count: explored, behind: true });
  await stage("every mutant of every plan", explore("--mutants"), { count: explored, behind: true });
})();

await lints();
if (process.platform === "linux") {
  // SQLite is compiled where there is a compiler for it; whether our own code fits macOS needs none.
  const noCompiler = { CC_aarch64_apple_darwin: "true", AR_aarch64_apple_darwin: "true" };
  await stage("macOS compiles", ["cargo", "clippy", "--quiet", "--package", "cutover", "--target", "aarch64-apple-darwin", "--", "-D", "warnings"], { env: noCompiler });
}
await stage("types are the Rust types", [node, "scripts/generate-types.mjs", "--check"]);
await stage("core is pure", [node, "scripts/check-purity.mjs"]);
// The stages of the explorer count these states and mutants, and more.
const counted = ["an_upgrade_by_link_has_no_bad_state", "a_page_copy_has_no_bad_state", "the_recovery_table_in_another_order_is_caught"];
await stage("Rust", [node, "scripts/rust-tests.mjs", "--workspace", "--", ...counted.flatMap((name) => ["--skip", name])], { count: cargoTests });
await stage("examples of the docs", ["cargo", "test", "--quiet", "--workspace", "--doc"], { count: cargoTests });
await stage("core on wasm32", [node, "scripts/run-wasi.mjs"], { count: cargoTests });
if (process.platform !== "win32") {
  await stage("programs for the campaign", ["cargo", "build", "--quiet", "--package", "cutover-tests"]);
  await stage("Node and Bun", [node, ...nodeTest, ...tests("tests/dist", "bindings-node/test", "bindings-wasm/test")], { env: memoryDisk(), count: nodeTests });
}
// Debian's Chromium.
if (process.platform === "linux") {
  await stage("the page in Chromium", [node, ...nodeTest, ...tests("bindings-wasm/diagnostics/test")], { count: nodeTests });
}
if (process.platform !== "darwin") await stage("Windows", [node, "scripts/test-windows.mjs"], { count: onWindows });
await explorer;

sum();

function tests(...directories) {
  return directories.flatMap((directory) => {
    try {
      return readdirSync(join(root, directory), { recursive: true })
        .filter((name) => /\.test\.m?js$/.test(name))
        // Counted by strace, which Linux alone has.
        .filter((name) => process.platform === "linux" || !name.endsWith("cost.test.js"))
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
