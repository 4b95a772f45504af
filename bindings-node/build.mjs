// Builds the addon with cargo alone, and puts it where ts/native.ts looks for it. `--release`
// builds it optimised and stripped.
import { spawnSync } from "node:child_process";
import { copyFileSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SUFFIX = {
  "linux-x64": "linux-x64-gnu",
  "win32-x64": "win32-x64-msvc",
  "darwin-arm64": "darwin-arm64",
};
const suffix = SUFFIX[`${process.platform}-${process.arch}`];
if (suffix === undefined)
  throw new Error(`no addon is made for ${process.platform}-${process.arch}`);

const directory = fileURLToPath(new URL(".", import.meta.url));
const release = process.argv.includes("--release")
  ? ["--release", "--config", "profile.release.strip=true"]
  : [];
const cargo = spawnSync(
  "cargo",
  [
    "build",
    "--quiet",
    "--package",
    "cutover-node",
    ...release,
    "--message-format=json-render-diagnostics",
  ],
  {
    cwd: directory,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  },
);
if (cargo.status !== 0) process.exit(1);

const artifacts = cargo.stdout
  .split("\n")
  .filter((line) => line.startsWith("{"))
  .map((line) => JSON.parse(line));
const { filenames } = artifacts.findLast(({ target }) => target?.name === "cutover_node");
const library = filenames.find((name) => /\.(so|dll|dylib)$/.test(name));
// Renamed into place, so that a process that has loaded the old addon keeps it.
const addon = `${directory}cutover.${suffix}.node`;
copyFileSync(library, `${addon}.tmp`);
renameSync(`${addon}.tmp`, addon);
