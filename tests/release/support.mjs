// What npm run build:release made, and folders in which it is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const packages = join(root, "target/packages");

/** The tarball of each package, by its name. */
export const tarballs = Object.fromEntries(
  readdirSync(packages).map((file) => [file.replace(/-\d+\.\d+\.\d+\.tgz$/, ""), join(packages, file)]),
);
export const addons = Object.keys(tarballs).filter((name) => /^cutover-(?!wasm$)/.test(name));

/** A file of a package: its bytes. */
export const packed = (name, file) =>
  execFileSync("tar", ["-xzOf", tarballs[name], `package/${file}`], { maxBuffer: 1 << 28 });

/** The files of a package, with their sizes in bytes. */
export const contents = (name) =>
  execFileSync("tar", ["-tvzf", tarballs[name]], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => /^\S+ +\S+ +(\d+) \S+ \S+ package\/(.+)$/.exec(line))
    .map(([, size, file]) => ({ file, size: Number(size) }));

/** A new folder, which this process removes at its end. */
export function folder() {
  const made = mkdtempSync(join(tmpdir(), "cutover-release-"));
  process.on("exit", () => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** An empty folder into which npm installed `cutover` from the tarballs alone, as on that system. */
export function install({ os, cpu, libc }) {
  const made = folder();
  const file = (name) => `file:${tarballs[name]}`;
  const manifest = {
    private: true,
    dependencies: { cutover: file("cutover") },
    overrides: Object.fromEntries(addons.map((name) => [name, file(name)])),
  };
  writeFileSync(join(made, "package.json"), JSON.stringify(manifest));
  const system = [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])];
  const args = ["install", "--offline", "--no-audit", "--no-fund", ...system];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: made, encoding: "utf8" });
  if (status !== 0) throw new Error(stdout + stderr);
  return made;
}
