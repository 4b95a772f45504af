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

const folders = [];
process.on("exit", () => folders.forEach((made) => rmSync(made, { recursive: true, force: true })));

/** A new folder, in `parent`, which this process removes at its end. */
export function folder(parent = tmpdir()) {
  const made = mkdtempSync(join(parent, "cutover-release-"));
  folders.push(made);
  return made;
}

/** An empty folder into which npm installed a package from the tarballs alone, as on that system. */
export function install({ os, cpu, libc }, name = "cutover") {
  const made = folder();
  const file = (wanted) => `file:${tarballs[wanted]}`;
  const manifest = {
    private: true,
    dependencies: { [name]: file(name) },
    overrides: Object.fromEntries(addons.map((addon) => [addon, file(addon)])),
  };
  writeFileSync(join(made, "package.json"), JSON.stringify(manifest));
  const system = [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])];
  const args = ["install", "--offline", "--no-audit", "--no-fund", ...system];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: made, encoding: "utf8" });
  if (status !== 0) throw new Error(stdout + stderr);
  return made;
}
