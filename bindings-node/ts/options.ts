// The options of an upgrade, and what its callbacks get.
import type { Event, Verdict } from "./generated.js";
import type { OwnerLock } from "./lock.js";
import type { Reader } from "./reader.js";

/**
 * A value that JSON can hold. Members are `any`, so that an interface fits as well as a type. A
 * value that JSON cannot hold is refused when the application passes it.
 */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: any };

/**
 * How the upgrade tells v1 from v2. The answer must be "old" for v1 and "current" for v2; the
 * upgrade checks the latter before it installs v2 (`STILL_OLD`).
 *
 * - `stamp`: a row that v2 has and v1 does not have, compared as text. A missing table or column
 *   means "old".
 * - `userVersion`: `PRAGMA user_version`. A lower number is old, an equal one current, a higher one
 *   newer.
 * - a function of the database alone. The upgrade refuses "newer" before it touches anything.
 */
export type Detect =
  | { stamp: { table: string; column: string; value: string } }
  | { userVersion: number }
  | ((db: Reader) => Verdict | Promise<Verdict>);

/** A file outside the database that changes with the database. */
export interface Companion {
  /** What this build staged, else the content of the file; `null` when there is no file. */
  read(): Promise<Uint8Array | null>;
  /**
   * Returns that content as text. A byte order mark stays.
   *
   * @throws `Error` where it is not UTF-8.
   */
  text(): Promise<string | null>;
  /**
   * Stages new content. The upgrade installs it after v2, and only where v2 is installed. A
   * directory that does not exist is made, with those above it, for the owner of the database alone
   * (on Unix mode 0700). It stays, also after an undo.
   */
  write(data: string | Uint8Array): Promise<void>;
}

/** One build of v2. It is usable until the callback settles. */
export interface Job<S extends Json = Json> {
  /**
   * The path of a copy of v1 that the build may open and change. The first call makes it, which
   * takes v1's size of disk; a build that reads v1 through {@link Job.v1} needs none. For
   * `from: "copy"` it is `staging`.
   *
   * The first call waits within `waitMs` for a program that writes to v1.
   *
   * @throws `Error` where v1 cannot be copied: the disk is full, or another program keeps v1 locked
   * or has written to it since the upgrade began. If the build fails then, the upgrade fails with
   * the code of that cause, or begins anew.
   */
  source(): Promise<string>;
  /** The path where the build makes v2: an empty file, or a copy of v1. */
  readonly staging: string;
  /** v1 itself, read-only. */
  readonly v1: Reader;
  /** Eight hex digits in the names of the files of this attempt. */
  readonly nonce: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /**
   * Aborted together with `options.signal`. The build should stop then. After 2 s the upgrade
   * continues without the build.
   */
  readonly signal: AbortSignal;
  /** A companion that the options declare. */
  companion(name: string): Companion;
  /**
   * Keeps a state for `undo` and `cleanup`, and replaces the previous state. The state is durable
   * when the promise resolves. State and report together may have about 2 MiB as JSON, and are as
   * private as v1: the journal and the receipt, which hold them, have v1's mode, group and ACL.
   */
  saveState(state: S): Promise<void>;
  /** Adds a warning to the result. */
  warn(message: string): void;
  /** Reports the progress of the build to `onEvent`, in a unit that the build chooses. */
  progress(done: number, total?: number): void;
}

/** The result of a build. */
export interface Built<R extends Json = Json> {
  /**
   * Rows per table. The upgrade checks them before it installs v2 and keeps them in the journal; a
   * recovery checks them again.
   */
  expect?: Record<string, number>;
  /**
   * For the result of `migrate` and the receipt of the backup. State and report together may have
   * about 2 MiB as JSON.
   */
  report?: R;
}

/** How the upgrade makes v2. */
export interface Make<S extends Json = Json, R extends Json = Json> {
  /** "empty": a new file. "copy": a copy of v1, on which the application's own migrator runs. */
  from: "empty" | "copy";
  /**
   * SQL, which the upgrade executes on v2 in one transaction, with v1 attached read-only as schema
   * "v1"; or a callback that builds v2.
   */
  run: { sql: string } | ((job: Job<S>) => Built<R> | void | Promise<Built<R> | void>);
}

/** The options of an upgrade. `S` is the type of the saved state, `R` that of the report. */
export interface MigrateOptions<S extends Json = Json, R extends Json = Json> {
  /** The database. The upgrade resolves symbolic links once, and v2 replaces the real file. */
  path: string;
  /**
   * Names this upgrade, for example `v1-v2`, and is part of the name of the backup. It has 1 to 32
   * of `a-z`, `0-9` and `-`, and neither begins nor ends with `-`. Other files use the labels
   * `source`, `building`, `install`, `owner`, `cutover`, `displaced` and `aside`.
   */
  label: string;
  /** How the upgrade tells v1 from v2. */
  detect: Detect;
  /** How the upgrade makes v2. */
  make: Make<S, R>;
  /**
   * Checks v2 before it is installed. When it throws, the upgrade undoes everything. It may open
   * `v2.path` with the application's own SQLite, for what stock SQLite cannot read: an own
   * collation, tokenizer or function, a module such as `vec0`, a schema of libSQL's. It must close
   * v2 before it settles, and write nothing to it.
   */
  verify?(v2: Reader): void | Promise<void>;
  /**
   * Files outside the database that change with the database: name to path. A name has 1 to 32
   * letters, digits, `_` and `-`.
   *
   * The call locks each companion with a file beside it (`<file>.cutover-lock`) until the call
   * ends, because two data directories may share a companion. It waits up to `waitMs` for a lock
   * that another process holds, then fails with `OWNED`.
   *
   * The upgrade installs what the build wrote through {@link Job.companion} with v2, durably. The
   * build may also write a companion in place: an undo restores it, but the build itself must
   * flush it (`fsync`) before it returns.
   */
  companions?: Record<string, string>;
  /**
   * Undoes what the build did outside the database. It must be idempotent: it may run twice, for a
   * build that never ran, and for an upgrade with another label that saved no state. After a failure the next start calls it again. A second
   * failure is a warning; the upgrade then begins again with the saved state and its nonce.
   */
  undo?(state: S | null, at: { nonce: string }): void | Promise<void>;
  /**
   * Removes what the build kept for an undo. It must be idempotent. A failure is a warning, and the
   * next start calls it again.
   */
  cleanup?(state: S | null, at: { nonce: string }): void | Promise<void>;
  /**
   * The owner lock, if the application holds it for life; "held" if the application holds an
   * equivalent lock of its own. Default: the call takes the owner lock until it ends.
   */
  lock?: OwnerLock | "held";
  /**
   * Releases leaked connections: handles that the application closed and that are still open. The
   * upgrade calls it as soon as it finds one of this process, and before every wait. A failure is a warning. Default: garbage collection.
   */
  releaseHandles?(): void | Promise<void>;
  /**
   * What to do when this process itself has the database open. On Windows the option has no effect:
   * the upgrade copies v2 into a database that this process has open, and each connection sees v2.
   *
   * - "refuse": the upgrade waits, then fails with `HELD`. It cannot tell a live connection from a
   *   leaked one.
   * - "proceed": the caller knows that the connection is leaked. The upgrade first moves the
   *   database to a new file that the connection does not have open; it stays there even if the
   *   upgrade fails. An interrupted upgrade is recovered after that; only beside a journal that
   *   is unreadable, the old daemon's, or that of a restore that copies pages it is refused.
   *
   * A process may upgrade again while a leaked connection has the database open, without this
   * option: if the process has found the database current by the same `detect`, and neither the
   * database nor its log changed since, the call answers at once. Two functions are the same only
   * if they are one object: define `detect` once, not in each call.
   *
   * Default: "refuse".
   */
  held?: "refuse" | "proceed";
  /**
   * What to do where it cannot be told which *other* programs have the database open: on Linux
   * without `/proc`, or where it hides processes of this user (a sandbox); on the BSDs; and where
   * the call of the system fails. The locks of SQLite do not tell it. A start with nothing to do
   * does not ask, and succeeds there.
   *
   * - "refuse": the upgrade, the recovery or the restore fails with `HELD` and the reason, before
   *   it touches anything.
   * - "proceed": the caller knows that no other program has the database open. A row that one
   *   commits all the same during the upgrade is lost, or in the backup alone.
   *
   * Default: "refuse".
   */
  unseen?: "refuse" | "proceed";
  /** The most time that all waits for open handles and locks take, milliseconds. Default: 10000. */
  waitMs?: number;
  /**
   * How many whole backups to keep, at least the newest. A start removes the others once it has
   * installed v2, or has cleaned up after a start that did. A failure to remove one is a warning.
   * Default: all.
   */
  keepBackups?: number;
  /**
   * How SQLite checks v2: "quick" for `quick_check`, "full" for `integrity_check`, which also
   * compares each index with its table. Default: "quick".
   */
  integrity?: "quick" | "full";
  /**
   * Whether SQLite checks v1 before v2 is installed (`quick_check`): beside a build by SQL, on a
   * thread of its own, and before a callback. Without it a v1 that lost rows, or is cut, may come
   * over without them; it then becomes the newest whole backup, beside which `keepBackups` may
   * remove a sound one. A build that meets the damage fails with `V1_CORRUPT` in any case.
   * Default: true.
   */
  checkV1?: boolean;
  /**
   * Receives every step, wait and warning before it happens, and the upgrade waits until it has
   * settled; only `build-progress` does not wait. What takes long sends `progress`, at most ten times
   * a second. A failure is a warning.
   */
  onEvent?(event: Event): void | Promise<void>;
  /**
   * Stops the upgrade, which then undoes everything and fails with `ABORTED`. Once v2 is built the
   * upgrade finishes instead, with a warning, because that is quicker and safer. A running callback
   * (also `onEvent`) then has 2 s to settle; `undo` and `cleanup` have 30 s. After that the call continues without
   * the callback.
   */
  signal?: AbortSignal;
}
