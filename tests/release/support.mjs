// What npm run build:release made, and folders in which it is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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

/** The files of this tree that git knows, in a new folder. */
export function clone(directory) {
  rmSync(directory, { recursive: true, force: true });
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" });
  for (const file of files.split("\0").filter(Boolean)) {
    mkdirSync(join(directory, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(directory, file));
  }
  return directory;
}

/** A v1, in a folder of its own. */
export function seeded() {
  const path = join(folder(), "data.db");
  const sql = `CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    INSERT INTO notes (text) VALUES ('milk'), ('bread'); PRAGMA user_version = 1;`;
  execFileSync("sqlite3", [path, sql]);
  return path;
}

/** What makes v2 of it. */
export const SQL =
  "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT INTO note SELECT id, text FROM v1.notes; PRAGMA user_version = 2;";
