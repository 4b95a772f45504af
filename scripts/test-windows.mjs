// `npm run test:windows`: the tests that hold on Windows, with Windows programs. On Windows they run as they are; on Linux in the lab (windows-lab.mjs).
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { bun, root, run, setup } from "./setup.mjs";
import { cargoTests, nodeTests, stage, sum } from "./stage.mjs";
import { TARGET, windowsLab } from "./windows-lab.mjs";

const native = process.platform === "win32";
setup();
const { cargo, env, tree, through, node, bun: bunRuntime } = native ? here() : windowsLab();
const target = native ? [] : ["--target", TARGET];

await stage("lints", ["cargo", "clippy", "--quiet", "--package", "cutover", "--all-targets", ...target, "--", "-D", "warnings"], { env: cargo });
await stage("Rust", ["cargo", "test", "--quiet", "--package", "cutover", ...target], { env: { ...cargo, ...env }, count: cargoTests });
for (const [version, command] of Object.entries(node)) {
  const args = ["--test", "--test-reporter=spec", "--test-timeout=900000", ...tests()];
  await stage(`Node ${version}`, [...command, ...args], { cwd: tree, env, count: nodeTests, through });
}
sum("on Windows: ");

/** Node starts each test file with itself; those start Bun as well. */
function tests() {
  return ["tests/dist", "bindings-node/test"].flatMap((directory) =>
    readdirSync(join(tree, directory), { recursive: true })
      .map((name) => name.replaceAll("\\", "/"))
      .filter((name) => /\.test\.m?js$/.test(name))
      .map((name) => `${directory}/${name}`),
  );
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
