// Builds the addon of this machine with cargo alone, and puts it where npm would install its
// package. `--release` builds it as it is shipped.
import { spawnSync } from "node:child_process";
import { copyFileSync, renameSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { platformOf, platformPackage } from "./platforms.mjs";

const directory = fileURLToPath(new URL(".", import.meta.url));

function output(command, args) {
  const stdio = ["ignore", "pipe", "inherit"];
  const options = { cwd: directory, encoding: "utf8", maxBuffer: 1 << 28, stdio };
  const { status, stdout, error } = spawnSync(command, args, options);
  if (error) throw error;
  if (status !== 0) process.exit(1);
  return stdout;
}

const [, host] = /^host: (.+)$/m.exec(output("rustc", ["-vV"]));
const profile = process.argv.includes("--release") ? ["--profile=addon"] : [];
const messages = output("cargo", [
  "build",
  "--quiet",
  "--package=cutover-node",
  "--message-format=json-render-diagnostics",
  ...profile,
]);
const artifacts = messages
  .split("\n")
  .filter((line) => line.startsWith("{"))
  .map((line) => JSON.parse(line));
const { filenames } = artifacts.findLast(({ target }) => target?.name === "cutover_node");
const library = filenames.find((name) => /\.(so|dll|dylib)$/.test(name));
const platform = platformOf(host);
const addon = platformPackage(platform, `${directory}node_modules/cutover-${platform}`);
// Renamed into place, so that a process that has loaded the old addon keeps it.
copyFileSync(library, `${addon}.tmp`);
renameSync(`${addon}.tmp`, addon);
