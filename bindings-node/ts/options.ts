import { callback, checkFields, isObject, object, oneOf, refuse, text, whole, type Check } from "./check.js";
import type { Event, Verdict } from "./generated.js";
import { Lock, type OwnerLock } from "./lock.js";
import type { Reader } from "./reader.js";

/** What JSON can hold. Members are `any`, so that an interface fits as well as a type; what JSON cannot hold is refused when it is given. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: any };

/**
 * How v1 is told from v2. It must say "old" of v1 and "current" of v2: the latter is checked before v2 is installed (`STILL_OLD`).
 *
 * - `stamp`: a row that v2 has and v1 has not, compared as text. A missing table or column means "old".
 * - `userVersion`: `PRAGMA user_version`: below is old, equal is current, above is newer.
 * - a function, which must depend on nothing but the database. "newer" is refused before anything is touched.
 */
export type Detect =
  | { stamp: { table: string; column: string; value: string } }
  | { userVersion: number }
  | ((db: Reader) => Verdict | Promise<Verdict>);

/** A file outside the database that changes with it. */
export interface Companion {
  /** What this build staged, or the file as it is; `null` where it does not exist. */
  read(): Promise<Uint8Array | null>;
  /** Stages new content. It is installed after the database, and never where v2 is not. */
  write(data: string | Uint8Array): Promise<void>;
}

/** One build of v2. Usable until the callback settles. */
export interface Job<S extends Json = Json> {
  /** A copy of v1 that the build may open and change. The same as `staging` for `from: "copy"`. */
  readonly source: string;
  /** Where v2 is to be built: an empty file, or a copy of v1. */
  readonly staging: string;
  /** v1 itself, read-only. */
  readonly v1: Reader;
  /** Eight hex digits that tell this attempt's files from another's. */
  readonly nonce: string;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Aborted when `options.signal` is. The build should stop then; it is given up after 2 s. */
  readonly signal: AbortSignal;
  /** A companion that the options declare. */
  companion(name: string): Companion;
  /** Keeps a state for `undo` and `cleanup`. Durable when it resolves; replaces the last one. With the report it may have about 2 MiB as JSON. */
  saveState(state: S): Promise<void>;
  /** Says something for the result's warnings. */
  warn(message: string): void;
  /** Tells `onEvent` how far the build is, in a unit of its own. */
  progress(done: number, total?: number): void;
}

/** What a build gives. */
export interface Built<R extends Json = Json> {
  /** Table -> rows. Checked before v2 is installed, kept in the journal, and checked again by a recovery. */
  expect?: Record<string, number>;
  /** For the result and the backup's receipt. With the state about 2 MiB as JSON at most. */
  report?: R;
}

/** How v2 is made. */
export interface Make<S extends Json = Json, R extends Json = Json> {
  /** From a new file, or from a copy of v1 on which the application's own migrator runs. */
  from: "empty" | "copy";
  /** SQL, executed on v2 in one transaction with v1 attached read-only as schema "v1"; or a callback that builds. */
  run: { sql: string } | ((job: Job<S>) => Built<R> | void | Promise<Built<R> | void>);
}

/** What an application asks for. `S` is the state that `saveState` keeps, `R` the report of the build. */
export interface MigrateOptions<S extends Json = Json, R extends Json = Json> {
  /** The database. Symbolic links are resolved once, and v2 takes the place of the real file. */
  path: string;
  /**
   * Names this upgrade, for example `v1-v2`: 1 to 32 of `a-z`, `0-9` and `-`, neither first nor last a `-`. Part of the backup's name. Not `source`,
   * `building`, `install`, `owner`, `cutover`, `displaced` or `aside`, which other names hold.
   */
  label: string;
  /** How v1 is told from v2. */
  detect: Detect;
  /** How v2 is made. */
  make: Make<S, R>;
  /** Looks at v2 before it is installed; throws when it is not right, and everything is undone. */
  verify?(v2: Reader): void | Promise<void>;
  /**
   * Files outside the database that change with it: name -> path, the name of 1 to 32 letters, digits, `_` and `-`. Each is locked beside it
   * (`<file>.cutover-lock`) until the call ends, whoever holds the owner lock: two data directories may share one. Another's lock is waited for within
   * `waitMs`, then refused as `OWNED`. What the build gives {@link Job.companion} is installed with v2, durably. One that the build writes in place instead
   * is put back by an undo, and is the build's to flush (`fsync`) before it returns.
   */
  companions?: Record<string, string>;
  /**
   * Takes back what the build did outside the database. Idempotent: it may run twice, and for a build that never ran. One that fails is asked again at the
   * next start, and where it fails again that is a warning: the upgrade begins anew with its state, until a build saves another, and its nonce.
   */
  undo?(state: S | null, at: { nonce: string }): void | Promise<void>;
  /** Removes what was kept for an undo. Idempotent. A failure is a warning, and it is tried again at the next start. */
  cleanup?(state: S | null, at: { nonce: string }): void | Promise<void>;
  /** The owner lock, where the application holds it for life; "held" when it holds an equivalent of its own. Default: taken for the migration. */
  lock?: OwnerLock | "held";
  /** Lets go of handles that were closed and are still open; called before every wait. Default: garbage collection. A failure is a warning. */
  releaseHandles?(): void | Promise<void>;
  /**
   * What is done where this process itself has the database open. "refuse": it waits, then fails with `HELD`, for a connection that lives cannot be
   * told from one that was closed and not collected. "proceed": the caller knows that it is a zombie; the database moves to a file of its own
   * first, which that connection does not have, however the upgrade ends. Not beside an interrupted upgrade. Default: "refuse".
   * On Windows neither is needed: there v2 is copied into a database that this process has open, whichever connection it is, and that connection sees it.
   */
  held?: "refuse" | "proceed";
  /** What all waits for whoever is in the way may take together, milliseconds. Default: 10000. */
  waitMs?: number;
  /**
   * How many whole backups stay, the newest, once a start has put v2 in place or cleaned up after one that had; the newest always does. A failure to
   * remove others is a warning. Default: all.
   */
  keepBackups?: number;
  /** How v2 is checked: `quick_check`, or `integrity_check`, which compares the indexes with their tables too. Default: "quick". */
  integrity?: "quick" | "full";
  /** Hears of every step, wait and warning before it happens. A failure of it is a warning; it never ends a migration. */
  onEvent?(event: Event): void | Promise<void>;
  /**
   * Asks to stop: everything is undone (`ABORTED`). Once v2 is built it is refused with a warning, since finishing is quicker and safer. A
   * callback that runs then has 2 s to settle, `undo` and `cleanup` 30 s; after that it is given up.
   */
  signal?: AbortSignal;
}

const stamp: Check = (value) =>
  isObject(value) && [value.table, value.column, value.value].every((part) => typeof part === "string") && Object.keys(value).length === 3
    ? undefined
    : "{ table, column, value }, all strings";

const detect: Check = (value) => {
  if (typeof value === "function") return undefined;
  if (!isObject(value) || Object.keys(value).length !== 1) return "{ stamp }, { userVersion } or a function";
  if ("stamp" in value) return stamp(value.stamp) && `{ stamp: ${stamp(value.stamp)} }`;
  const must = whole(-(2 ** 31), 2 ** 31 - 1)(value.userVersion);
  return must && `{ userVersion: ${must} }`;
};

const run: Check = (value) => {
  if (typeof value === "function") return undefined;
  return isObject(value) && typeof value.sql === "string" && Object.keys(value).length === 1 ? undefined : "{ sql } or a function";
};

export const paths: Check = (value) =>
  isObject(value) && Object.values(value).every((path) => text(path) === undefined) ? undefined : "an object of name -> path";

export const lock: Check = (value) => (value instanceof Lock || value === "held" ? undefined : 'what lock() gave, or "held"');

export const signal: Check = (value) => (value instanceof AbortSignal ? undefined : "an AbortSignal");

/** Refuses what is not a set of options, before anything is touched. */
export function checkOptions<S extends Json, R extends Json>(options: MigrateOptions<S, R>): void {
  checkFields("options", options, {
    path: text,
    label: text,
    detect,
    make: object,
    "verify?": callback,
    "companions?": paths,
    "undo?": callback,
    "cleanup?": callback,
    "lock?": lock,
    "releaseHandles?": callback,
    "held?": oneOf("refuse", "proceed"),
    "waitMs?": whole(0, Number.MAX_SAFE_INTEGER),
    "keepBackups?": whole(0, 2 ** 32 - 1),
    "integrity?": oneOf("quick", "full"),
    "onEvent?": callback,
    "signal?": signal,
  });
  checkFields("options.make", options.make, { from: oneOf("empty", "copy"), run });
}

/** What `build` gave, in its full form. */
export function checkBuilt(built: unknown): { expect: Record<string, number>; report: unknown } {
  if (built === undefined || built === null) return { expect: {}, report: null };
  checkFields("what make.run gives", built, { "expect?": object, "report?": () => undefined });
  const { expect = {}, report = null } = built as { expect?: Record<string, number>; report?: unknown };
  for (const [table, rows] of Object.entries(expect)) {
    const must = whole(0, Number.MAX_SAFE_INTEGER)(rows);
    if (must !== undefined) refuse(`expect.${table}`, must, rows);
  }
  return { expect, report };
}

/** The options that every task shares, as they cross. */
export function crossingShared(
  path: string,
  options: Pick<MigrateOptions, "companions" | "waitMs" | "integrity" | "lock" | "onEvent" | "signal">,
): object {
  const { companions = {}, waitMs = null } = options;
  return {
    path,
    companions,
    waitMs,
    full: options.integrity === "full",
    held: options.lock === "held",
    events: options.onEvent !== undefined,
    aborted: options.signal?.aborted ?? false,
  };
}

/** The options of an upgrade alone, as they cross. Callbacks stay here. */
export function crossing<S extends Json, R extends Json>(options: MigrateOptions<S, R>): object {
  const { label, detect, make, keepBackups = null } = options;
  return {
    label,
    detect: typeof detect === "function" ? "host" : detect,
    from: make.from,
    sql: typeof make.run === "function" ? null : make.run.sql,
    keepBackups,
    verify: options.verify !== undefined,
    proceed: options.held === "proceed",
  };
}
