// What a build changed outside the files of the upgrade.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Path -> digest of each file below `root`, without the files of the database and of its upgrade. */
export function tree(root: string, database: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const path = join(root, name);
    if (dirname(path) === dirname(database) && basename(path).startsWith(basename(database))) continue;
    if (path.endsWith(".cutover-lock") || !statSync(path).isFile()) continue;
    found.set(path, createHash("sha256").update(readFileSync(path)).digest("hex"));
  }
  return found;
}

/** The paths whose files differ. */
export function changed(before: Map<string, string>, after: Map<string, string>): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}
