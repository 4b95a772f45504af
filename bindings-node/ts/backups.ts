import { Callbacks } from "./application.js";
import { callback, checkFields, filePath, oneOf, whole } from "./check.js";
import type { Backup, Left, Recovery, Warning } from "./generated.js";
import { Lock } from "./lock.js";
import { crossingShared, lock, paths, signal, type MigrateOptions } from "./options.js";
import { deliver } from "./session.js";

/** What work on backups may be told, each as for a migration. `companions` are those that the upgrade declared. */
export type BackupOptions = Pick<
  MigrateOptions,
  "companions" | "lock" | "releaseHandles" | "waitMs" | "integrity" | "onEvent" | "signal"
>;

/** Which backups may go. What is given must all hold of one that goes; with neither, none goes. The newest whole one never goes. */
export interface PruneRule {
  /** This many whole backups stay, the newest. */
  keep?: number;
  /** Only those go whose upgrade began longer ago than this, milliseconds. */
  olderThanMs?: number;
}

/** What {@link pruneBackups} did. */
export interface PruneResult {
  /** Backups that are gone, newest first. */
  removed: string[];
  /** Backups that no rule removes, and why: those that are not whole, and those whose companions are not declared. */
  left: Left[];
}

/** What {@link restore} did. */
export interface RestoreResult {
  /** What was restored. It is still there. */
  backup: string;
  /** Where v2 was set aside, with every row that was committed to it. */
  displaced: string;
  /** What was recovered before. "finished" where an interrupted restore of this backup was: then nothing else was done. */
  recovery: Recovery;
  /** Each companion that is declared, or kept with the backup: whether it is as it was before the upgrade, why not, and where what was there is kept. */
  companions: Record<string, { restored: boolean; why: string | null; displaced: string | null }>;
  /** What went less than well. */
  warnings: Warning[];
}

/**
 * Every backup of a database, newest first, with what its receipt says. Opens no database, takes no lock and changes nothing, so it may be called
 * at any time.
 *
 * @throws {@link CutoverError} `IO` when the directory or a receipt cannot be read.
 */
export async function listBackups(path: string): Promise<Backup[]> {
  return (await deliver({ listBackups: { path: filePath(path, "path") } })) as Backup[];
}

/**
 * Removes old backups by a rule, each with its receipt and its companions' backups. One that is not whole stays, and is named in the result.
 *
 * @throws {@link CutoverError} `OWNED`; `JOURNAL` while an upgrade or a restore is unfinished; `IO` when a file cannot be removed, and the next call goes on.
 * @throws {@link TypeError} Wrong arguments; nothing was touched.
 */
export async function pruneBackups(path: string, rule: PruneRule, options: BackupOptions = {}): Promise<PruneResult> {
  checkFields("rule", rule, { "keep?": whole(0, 2 ** 32 - 1), "olderThanMs?": whole(0, Number.MAX_SAFE_INTEGER) });
  return (await work({ prune: rule }, path, options)) as PruneResult;
}

/**
 * Makes a backup, a path or a bare name, the database again, in the journal mode that v1 had, and sets v2 aside beside it. Close the database
 * first. Start the release that v1 is for afterwards: one that upgrades would upgrade it again.
 *
 * @throws {@link CutoverError} `VERIFY` when the backup is not whole or not sound, `JOURNAL` beside an unfinished upgrade ({@link recover} comes first),
 * `NOT_A_DATABASE` where there is none to set aside (copy the backup to its name then), `HELD`, `OWNED`, `NO_SPACE`, `IO`. v2 stays, unless
 * `data.state` says that the next start finishes.
 * @throws {@link TypeError} Wrong arguments; nothing was touched.
 */
export async function restore(path: string, backup: string, options: BackupOptions = {}): Promise<RestoreResult> {
  return (await work({ restore: filePath(backup, "backup") }, path, options)) as RestoreResult;
}

async function work(verb: object, path: string, options: BackupOptions): Promise<unknown> {
  checkFields("options", options, {
    "companions?": paths,
    "lock?": lock,
    "releaseHandles?": callback,
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
