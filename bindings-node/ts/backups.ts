import { Callbacks } from "./application.js";
import { callback, checkFields, filePath, oneOf, refuse, whole } from "./check.js";
import { lock, paths, signal } from "./check-options.js";
import { crossingShared } from "./crossing.js";
import type { Backup, Left, Plan, Recovery, Warning } from "./generated.js";
import { Lock } from "./lock.js";
import type { MigrateOptions } from "./options.js";
import { deliver } from "./session.js";

/**
 * The options for work on backups, each as for {@link migrate}. `companions` are the companions
 * that the upgrade declared.
 */
export type BackupOptions = Pick<
  MigrateOptions,
  | "companions"
  | "lock"
  | "releaseHandles"
  | "unseen"
  | "waitMs"
  | "integrity"
  | "onEvent"
  | "signal"
>;

/**
 * Which backups to remove: those that every given member allows. Without a member none is removed.
 * The newest whole backup is never removed.
 */
export interface PruneRule {
  /**
   * How many whole backups to keep, the newest. Those whose time lies ahead, because a clock was
   * wrong, are counted apart.
   */
  keep?: number;
  /** The least age of a backup to remove, since its upgrade began, milliseconds. */
  olderThanMs?: number;
}

/** The result of {@link pruneBackups}. */
export interface PruneResult {
  /** The removed backups, newest first. */
  removed: string[];
  /**
   * Backups that no rule removes, and why: a backup that is not whole, and one whose companions the
   * options do not declare.
   */
  left: Left[];
}

/** The result of {@link adoptBackup}. */
export interface AdoptResult {
  /** The path of the adopted backup, which is whole now. */
  backup: string;
  /**
   * Problems that did not stop the adoption, as they are in the receipt too. `ADOPTED` says that no
   * upgrade wrote the receipt.
   */
  warnings: Warning[];
}

/** The result of {@link restore}. */
export interface RestoreResult {
  /** The backup that was restored. It stays in place. */
  backup: string;
  /** The path where the restore set v2 aside, with every row that was committed to it. */
  displaced: string;
  /**
   * The recovery that the call performed first. "finished" means that it finished an interrupted
   * restore of this backup, and did nothing else.
   */
  recovery: Recovery;
  /**
   * Each companion that the options declare or that the backup includes: whether it is as it was
   * before the upgrade, else why not, and the path of the content that the restore set aside.
   */
  companions: Record<string, { restored: boolean; why: string | null; displaced: string | null }>;
  /** Problems that did not stop the restore. */
  warnings: Warning[];
}

/**
 * Lists every backup of a database with the content of its receipt: the whole ones, newest first,
 * and then the others. Sizes are bytes, times are milliseconds since 1970. It opens no database, takes no lock and changes nothing, so
 * the application may call it at any time.
 *
 * @throws {@link CutoverError} `IO` when the directory is not readable. A backup whose receipt is
 * not readable is not whole.
 * @throws {@link TypeError} `path` is wrong.
 */
export async function listBackups(path: string): Promise<Backup[]> {
  return (await deliver({ listBackups: { path: filePath(path, "path") } })) as Backup[];
}

/**
 * Removes old backups by a rule, each with its receipt and the backups of its companions. A backup
 * that is not whole stays, and the result names it.
 *
 * @throws {@link CutoverError} `OWNED` when another process holds the owner lock. `JOURNAL` while
 * an upgrade or a restore is unfinished. `IO` when a file cannot be removed; the next call goes on.
 * @throws {@link TypeError} An argument is wrong; the call touched nothing.
 */
export async function pruneBackups(
  path: string,
  rule: PruneRule,
  options: BackupOptions = {},
): Promise<PruneResult> {
  checkFields("rule", rule, {
    "keep?": whole(0, 2 ** 32 - 1),
    "olderThanMs?": whole(0, Number.MAX_SAFE_INTEGER),
  });
  return (await work({ prune: rule }, path, options)) as PruneResult;
}

/**
 * Adopts a backup that has no receipt, as the daemon before cutover left it: a copy of the backup,
 * with its `-wal` or `-journal`, is settled and checked, takes the backup's name and gets a receipt.
 * Then {@link listBackups} lists it as whole, {@link restore} restores it, and {@link pruneBackups}
 * may prune it. It opens neither the database nor, to write, the backup.
 *
 * `backup` is the `name` that `listBackups` gives, or a path in the database's directory. A file
 * that has no name of a backup must have one that begins with the database's (`data.db.old`). Its
 * adopted copy is `data.db.adopted-<unix ms>-<nonce>`, with the time at which the file was last
 * written; the file itself is removed once that copy is durable.
 *
 * A call that is killed leaves the backup, or its settled copy under its name, and can be repeated.
 * It needs the backup's size, and twice that of its `-wal`, in free space.
 *
 * @throws {@link CutoverError} The backup was not removed.
 * - `IO`: it is the database itself, not a regular file, or not one that may be a backup.
 * - `VERIFY`: it is whole already, or has a receipt that says something else.
 * - `NOT_A_DATABASE` or `V1_CORRUPT`: it is empty, not a database, or damaged.
 * - `JOURNAL`: an upgrade or a restore is unfinished; call `recover` first.
 * - `HELD`, `OWNED` or `NO_SPACE`: as for an upgrade.
 * @throws {@link TypeError} An argument is wrong; the call touched nothing.
 */
export async function adoptBackup(
  path: string,
  backup: string,
  options: BackupOptions = {},
): Promise<AdoptResult> {
  return (await work({ adopt: backupName(backup) }, path, options)) as AdoptResult;
}

/**
 * Makes a backup the database again, in the journal mode that v1 had, and sets v2 aside beside it.
 * `backup` is the `name` that {@link listBackups} gives, or a path in the database's directory. Close the database before the call. After it start the old
 * release, because a release that upgrades would upgrade v1 again.
 *
 * @throws {@link CutoverError} v2 stays in place, unless `data.state` says that the next start
 * finishes the restore.
 * - `VERIFY`: the backup is not whole.
 * - `V1_CORRUPT`: the backup is damaged.
 * - `JOURNAL`: an upgrade is unfinished; call `recover` first.
 * - `NOT_A_DATABASE`: there is no database to set aside; copy the backup to its name instead.
 * - `HELD`: a program has the database or the backup open, or it cannot be told whether one has
 *   (`unseen`).
 * - `OWNED`, `NO_SPACE` or `IO`: as for an upgrade.
 * @throws {@link TypeError} An argument is wrong; the call touched nothing.
 */
export async function restore(
  path: string,
  backup: string,
  options: BackupOptions = {},
): Promise<RestoreResult> {
  return (await work({ restore: backupName(backup) }, path, options)) as RestoreResult;
}

/**
 * Plans what {@link restore} would do first: the restore, or the recovery of one that was
 * interrupted. It takes no lock, and changes what any reader of the database changes: SQLite rolls
 * back the hot rollback journal of a killed process. It assumes that the file system has hard links.
 *
 * @throws As {@link restore}, for what the call can tell without performing the plan.
 */
export async function planRestore(
  path: string,
  backup: string,
  options: BackupOptions = {},
): Promise<Plan> {
  return (await work({ planRestore: backupName(backup) }, path, options)) as Plan;
}

/** A backup's name, checked. A URL is never one, nor does a file's name have a NUL. */
function backupName(value: unknown): string {
  const must = "the `name` of a backup, as listBackups gives it";
  const name = typeof value === "string" && value.isWellFormed() ? value : "";
  if (name === "" || name.includes("\0") || /^(file:|[a-z][a-z0-9+.-]+:\/\/)/i.test(name))
    refuse("backup", must, value);
  return name;
}

async function work(verb: object, path: string, options: BackupOptions): Promise<unknown> {
  checkFields("options", options, {
    "companions?": paths,
    "lock?": lock,
    "releaseHandles?": callback,
    "unseen?": oneOf("refuse", "proceed"),
    "waitMs?": whole(0, Number.MAX_SAFE_INTEGER),
    "integrity?": oneOf("quick", "full"),
    "onEvent?": callback,
    "signal?": signal,
  });
  const callbacks = new Callbacks(options);
  const owner = options.lock instanceof Lock ? options.lock.native : null;
  const task = { backups: { verb, shared: crossingShared(filePath(path, "path"), options) } };
  const result = (await deliver(task, callbacks, owner)) as { warnings?: Warning[] };
  result.warnings?.push(...callbacks.warnings);
  return result;
}
