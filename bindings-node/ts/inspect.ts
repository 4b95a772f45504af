import type { Header, Holder } from "./generated.js";
import { checkFields, filePath } from "./check.js";
import { paths } from "./check-options.js";
import { deliver } from "./session.js";

/** The files of a database. Sizes are bytes. */
export interface Inspection {
  /** The real path, with symbolic links resolved. */
  path: string;
  /** Whether the database exists. */
  exists: boolean;
  /** The size of the database; `null` when there is none. */
  size: number | null;
  /**
   * Whether this process has the file set open. Then the call does not open the database, because
   * closing it would drop the locks of that connection, and `header` is `null`.
   */
  held: boolean;
  /** The processes that have the file set open, this process first. */
  holders: Holder[];
  /**
   * Why other processes may have it open that are not among the holders; `null` where the system
   * tells of each process of this user.
   */
  holdersUnknown: string | null;
  /** The header of the database, if it is readable. */
  header: Header | null;
  /** `-wal`, `-shm` and `-journal` with their sizes. */
  sidecars: Record<string, number>;
  /** The journals of interrupted upgrades. */
  journals: string[];
  /** The backups with their sizes. */
  backups: Record<string, number>;
  /** The databases that a restore set aside, with their sizes. They have rows. */
  displaced: Record<string, number>;
  /**
   * The files that interrupted upgrades left, unreadable journals, and sidecars of backups, with
   * their sizes. A start removes the files that are not needed.
   */
  leftovers: Record<string, number>;
  /** The declared companions. */
  companions: Record<string, InspectedCompanion>;
}

/** The files of a companion. Sizes are bytes. */
export interface InspectedCompanion {
  /** The real path, with symbolic links resolved. */
  path: string;
  /** Whether the companion exists. */
  exists: boolean;
  /** Its backups with their sizes, also those of another database that shares the companion. */
  backups: Record<string, number>;
  /** The contents that a restore set aside, with their sizes. */
  displaced: Record<string, number>;
  /**
   * The files that interrupted upgrades left, with their sizes. A start removes the files that are
   * not needed.
   */
  leftovers: Record<string, number>;
}

/** The options of {@link inspect}. */
export interface InspectOptions {
  /** As for `migrate`: name to path. */
  companions?: Record<string, string>;
}

/**
 * Lists the files of a database and of its companions. The call changes nothing, takes no lock, and
 * opens no file that this process has open.
 *
 * @throws {@link CutoverError} `IO` when a directory or a companion is not readable.
 * @throws {@link TypeError} An argument is wrong.
 */
export async function inspect(path: string, options: InspectOptions = {}): Promise<Inspection> {
  checkFields("options", options, { "companions?": paths });
  const { companions = {} } = options;
  return (await deliver({ inspect: { path: filePath(path, "path"), companions } })) as Inspection;
}
