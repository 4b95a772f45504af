// The database that a person names by its folder. `inspect` looks at the files: it opens none that
// this process has open, since closing it would drop the locks of its connections.
import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { CutoverError } from "../error.js";
import { inspect, type Inspection } from "../inspect.js";
import { exitCodes, Refusal } from "./exit.js";

/**
 * The path of the database: `path` itself, or the one database of that folder.
 *
 * @throws {@link Refusal} where the folder has none, or more than one.
 */
export async function database(path: string): Promise<string> {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  const [found, ...more] = await databases(path);
  if (found === undefined) {
    throw new Refusal(
      exitCodes.noDatabase,
      `there is no SQLite database in ${path}; name the file of the database, or its folder`,
    );
  }
  if (more.length > 0) {
    const names = [found, ...more].map((file) => basename(file)).join(", ");
    throw new Refusal(
      exitCodes.noDatabase,
      `there is more than one database in ${path}; name one of them: ${names}`,
    );
  }
  return found;
}

/**
 * The databases of a folder, without backups and other files of cutover's. A backup tells of its
 * database, also where that is gone.
 */
async function databases(folder: string): Promise<string[]> {
  const found = new Set<string>();
  const belong = new Set<string>();
  const asked = new Set<string>();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile() && !entry.isSymbolicLink()) continue;
    const seen = await look(join(folder, entry.name));
    if (!seen?.held && !seen?.header) continue;
    found.add(entry.name);
    for (const base of [entry.name, ...bases(entry.name)]) {
      if (asked.has(base)) continue;
      asked.add(base);
      const own = belonging(base === entry.name ? seen : await look(join(folder, base)));
      for (const name of own) belong.add(name);
      if (own.length > 0) found.add(base);
    }
  }
  const names = [...found].filter((name) => !belong.has(name));
  return names.sort().map((name) => join(folder, name));
}

/** Nothing for a name that no database can have. */
async function look(path: string): Promise<Inspection | undefined> {
  try {
    return await inspect(path);
  } catch (error) {
    if (error instanceof CutoverError) return undefined;
    throw error;
  }
}

/** The names of the files that belong to a database, which need not exist. */
function belonging(seen: Inspection | undefined): string[] {
  if (seen === undefined) return [];
  const { sidecars, backups, displaced, leftovers } = seen;
  return Object.keys({ ...sidecars, ...backups, ...displaced, ...leftovers });
}

/** The names that end before a dot of a name: of a backup, the database is one of them. */
const bases = (name: string) =>
  [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)).filter(Boolean);
