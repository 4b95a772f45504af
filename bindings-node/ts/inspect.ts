import type { Header, Holder } from "./generated.js";
import { checkFields, filePath } from "./check.js";
import { paths } from "./options.js";
import { deliver } from "./session.js";

/** What lies in the database's directory. Sizes are bytes. */
export interface Inspection {
  /** The real path, symbolic links resolved. */
  path: string;
  /** Whether there is a database. */
  exists: boolean;
  /** Bytes of the database. */
  size: number | null;
  /** Whether this process has the set open. Then it is not opened, since that would drop that connection's locks, and `header` is `null`. */
  held: boolean;
  /** Who has the set open, this process first. */
  holders: Holder[];
  /** The header, where it could be read. */
  header: Header | null;
  /** `-wal`, `-shm`, `-journal`, and their sizes. */
  sidecars: Record<string, number>;
  /** Journals of interrupted upgrades. */
  journals: string[];
  /** Backups and their sizes. */
  backups: Record<string, number>;
  /** Databases that were set aside, which hold rows, and their sizes. */
  displaced: Record<string, number>;
  /** What interrupted upgrades left, journals that could not be read, and sidecars of backups; their sizes. Starts take away what is not needed. */
  leftovers: Record<string, number>;
  /** The declared companions. */
  companions: Record<string, InspectedCompanion>;
}

/** What lies beside a companion. Sizes are bytes. */
export interface InspectedCompanion {
  /** The real path, symbolic links resolved. */
  path: string;
  /** Whether it is there. */
  exists: boolean;
  /** What it was before an upgrade, of this database or of another one that shares it, and their sizes. */
  backups: Record<string, number>;
  /** What was set aside, and their sizes. */
  displaced: Record<string, number>;
  /** What interrupted upgrades left, and their sizes. Starts take away what is not needed. */
  leftovers: Record<string, number>;
}

/** What {@link inspect} may be told. */
export interface InspectOptions {
  /** As for a migration: name to path. */
  companions?: Record<string, string>;
}

/**
 * Looks at a database and what lies beside it and its companions. Changes nothing, takes no lock, and opens nothing that this process holds.
 *
 * @throws {@link CutoverError} `IO` when a directory or a companion cannot be read.
 * @throws {@link TypeError} Wrong arguments.
 */
export async function inspect(path: string, options: InspectOptions = {}): Promise<Inspection> {
  checkFields("options", options, { "companions?": paths });
  const { companions = {} } = options;
  return (await deliver({ inspect: { path: filePath(path, "path"), companions } })) as Inspection;
}
