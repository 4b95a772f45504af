import type { NativeLock } from "./native.js";
import { deliver } from "./session.js";
import { filePath } from "./check.js";

/** Ownership of a database. Held until {@link OwnerLock.release}, or until the process, or the worker that took it, ends in any way. */
export interface OwnerLock {
  /** The path that was given. */
  readonly path: string;
  /** Lets go. A second call does nothing; a migration that runs keeps the lock until it ends. */
  release(): void;
}

/** What the garbage collector must not take: a lock is held for life, also by an application that keeps no reference to it. */
const held = new Set<NativeLock>();

export class Lock implements OwnerLock {
  constructor(
    readonly path: string,
    /** For the addon. */
    readonly native: NativeLock,
  ) {
    held.add(native);
  }

  release(): void {
    held.delete(this.native);
    this.native.release();
  }
}

/**
 * Takes ownership of the database at `path`, which need not exist yet; its directory must. Nobody who asks in the same way gets it as well,
 * in this process or another, and a second one is refused at once.
 *
 * @throws {@link CutoverError} `OWNED` when somebody has it, `IO` when a lock file cannot be made.
 */
export async function lock(path: string): Promise<OwnerLock> {
  const given = filePath(path, "path");
  return new Lock(given, (await deliver({ lock: { path: given } })) as NativeLock);
}

