import type { NativeLock } from "./native.js";
import { deliver } from "./session.js";
import { filePath } from "./check.js";

/**
 * The owner lock of a database. The application holds it until {@link OwnerLock.release}, or until
 * the process or worker that took it ends in any way.
 */
export interface OwnerLock {
  /** The path that the application passed. */
  readonly path: string;
  /**
   * The paths of the lock's files, beside the real database: an application that copies, packs or
   * synchronizes the directory leaves them out. They hold no data, and stay after a release; the
   * second, SQLite's journal, is rarely there. Each declared companion has a lock file as well,
   * `<file>.cutover-lock`.
   */
  readonly files: readonly string[];
  /** Releases the lock. A running migration keeps it until it ends. A second call does nothing. */
  release(): void;
}

/** Keeps each lock from the garbage collector: an application need not keep a reference to it. */
const held = new Set<NativeLock>();

export class Lock implements OwnerLock {
  readonly files: readonly string[];

  constructor(
    readonly path: string,
    /** For the addon. */
    readonly native: NativeLock,
  ) {
    held.add(native);
    this.files = native.files;
  }

  release(): void {
    held.delete(this.native);
    this.native.release();
  }
}

/**
 * Takes the owner lock of the database at `path`. The database need not exist yet, but its
 * directory must. A second call for the database fails at once, in this process and in any other.
 *
 * @throws {@link CutoverError} `OWNED` when a process holds the lock; `IO` when the call cannot
 * create a lock file.
 * @throws {@link TypeError} `path` is wrong.
 */
export async function lock(path: string): Promise<OwnerLock> {
  const given = filePath(path, "path");
  return new Lock(given, (await deliver({ lock: { path: given } })) as NativeLock);
}
