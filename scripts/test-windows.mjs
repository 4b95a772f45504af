// `npm run test:windows`: the tests that hold on Windows, with Windows programs. On Windows they run as they are; on Linux in the lab (windows-lab.mjs).
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { bun, root, run, setup } from "./setup.mjs";
import { cargoTests, nodeTest, nodeTests, stage, sum } from "./stage.mjs";
import { TARGET, windowsLab } from "./windows-lab.mjs";

const native = process.platform === "win32";
setup();
const { cargo, env, tree, through, node } = native ? here() : windowsLab();
const target = native ? [] : ["--target", TARGET];

await stage("lints", ["cargo", "clippy", "--quiet", "--package", "cutover", "--all-targets", ...target, "--", "-D", "warnings"], { env: cargo });
await stage("Rust", [process.execPath, "scripts/rust-tests.mjs", "--package", "cutover", ...target], { env: { ...cargo, ...env }, count: cargoTests });
// Everything with the newest Node, which starts Bun as well; with the others whether the addon loads and works, and the incident.
const LOADING = ["module", "worker", "lock", "callbacks"].map((name) => `bindings-node/test/${name}.test.mjs`).concat("tests/dist/windows/incident.test.js");
const versions = Object.keys(node).sort();
const newest = versions.at(-1);
for (const version of versions) {
  const own = version === newest ? env : { ...env, CUTOVER_BUN: "" };
  const files = version === newest ? ["bindings-node/test", "tests/dist/windows", "tests/dist/corpus", "tests/dist/node"].flatMap(tests) : LOADING;
  await stage(`Node ${version}`, [...node[version], ...nodeTest, ...files], { cwd: tree, env: own, count: nodeTests, through });
}
sum("on Windows: ");

/** Node starts each test file with itself. */
function tests(directory) {
  return readdirSync(join(tree, directory))
    .filter((name) => /\.test\.m?js$/.test(name))
    .map((name) => `${directory}/${name}`);
}

/** On Windows itself: the runtimes that are installed, and the programs of the tests beside each other. */
function here() {
  run("cargo", ["build", "--quiet", "--package", "cutover-tests"]);
  const bin = join(root, "target/windows-bin");
  const built = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug");
  mkdirSync(bin, { recursive: true });
  for (const program of ["seed.exe", "upgrade.exe", "sqlite3.exe"]) copyFileSync(join(built, program), join(bin, program));
  const env = { CUTOVER_PROGRAMS: bin, CUTOVER_BUN: bun, PATH: `${bin};${process.env.PATH}` };
  return { cargo: {}, env, tree: root, through: undefined, node: { [process.versions.node]: [process.execPath] } };
}
