import { Callbacks } from "./application.js";
import { checkOptions } from "./check-options.js";
import { crossing, crossingShared } from "./crossing.js";
import type { Plan, Recovery, Strategy, Warning } from "./generated.js";
import { Lock } from "./lock.js";
import type { Json, MigrateOptions } from "./options.js";
import { planText } from "./pure/plan.js";
import { deliver } from "./session.js";

/** The result of {@link migrate}. */
export interface MigrateResult<R extends Json = Json> {
  /**
   * "migrated": this start, or its recovery, made the database v2. "current": the database was v2
   * already. "no-database": there is no database, or an empty one.
   */
  outcome: "migrated" | "current" | "no-database";
  /** The recovery that the start performed first. */
  recovery: Recovery;
  /**
   * The path of v1, if this start made the cutover, finished it or cleaned up after it. A later
   * start gives `null`; use `listBackups` then.
   */
  backup: string | null;
  /** The report of the build, even if the build ran in an earlier start. */
  report: R | null;
  /** How the upgrade installed v2. */
  strategy: Strategy | null;
  /**
   * With "no-database": the real paths of the files beside it that may hold rows: backups, what was
   * set aside, and files of an unfinished upgrade. Else empty.
   */
  found: string[];
  /**
   * Problems that did not stop the upgrade. `NO_DATABASE` says that `found` is not empty: show it
   * before the application makes a new database.
   */
  warnings: Warning[];
}

/** The result of {@link recover}. */
export type RecoverResult<R extends Json = Json> = Omit<MigrateResult<R>, "outcome" | "strategy" | "found">;

/**
 * Upgrades the database. It first finishes or undoes what an earlier start began, then migrates v1.
 * It leaves a v2 as it is. Call it before the application opens the database.
 *
 * All work runs on a thread of its own, so the event loop stays free. A callback may be synchronous
 * or return a promise.
 *
 * @throws {@link CutoverError} The error says where the data is: canonical is a whole v1 or a whole
 * v2. `cause` is what a callback threw.
 * @throws {@link TypeError} The options are wrong; the call touched nothing.
 */
export async function migrate<S extends Json = Json, R extends Json = Json>(
  options: MigrateOptions<S, R>,
): Promise<MigrateResult<R>> {
  return (await upgrade("migrate", options)) as MigrateResult<R>;
}

/**
 * Finishes or undoes what an earlier start began, and does nothing else. It takes the options of
 * {@link migrate}.
 *
 * @throws As {@link migrate}.
 */
export async function recover<S extends Json = Json, R extends Json = Json>(
  options: MigrateOptions<S, R>,
): Promise<RecoverResult<R>> {
  return (await upgrade("recover", options)) as RecoverResult<R>;
}

/**
 * Plans what {@link migrate} would do first, a recovery or the migration: each step with its
 * reason. `null` means nothing to do.
 *
 * The call takes no lock. It changes what any reader of the database changes: SQLite rolls back the
 * hot rollback journal of a killed process. It assumes that the file system has hard links.
 *
 * @throws As {@link migrate}, for what the call can tell without performing the plan.
 */
export async function plan<S extends Json = Json, R extends Json = Json>(
  options: MigrateOptions<S, R>,
): Promise<Plan | null> {
  return (await upgrade("plan", options)) as Plan | null;
}

/**
 * Performs exactly this plan, if it is the plan that the call would make for the database now.
 *
 * @throws {@link CutoverError} `JOURNAL` when the plan is not usable; else as {@link migrate}.
 */
export async function runPlan<S extends Json = Json, R extends Json = Json>(
  plan: Plan | string,
  options: MigrateOptions<S, R>,
): Promise<MigrateResult<R>> {
  return (await upgrade({ runPlan: planText(plan) }, options)) as MigrateResult<R>;
}

async function upgrade<S extends Json, R extends Json>(
  verb: string | object,
  options: MigrateOptions<S, R>,
): Promise<unknown> {
  checkOptions(options);
  const callbacks = new Callbacks(options);
  const lock = options.lock instanceof Lock ? options.lock.native : null;
  const task = {
    upgrade: { verb, shared: crossingShared(options.path, options), options: crossing(options) },
  };
  const result = (await deliver(task, callbacks, lock)) as { warnings?: Warning[] } | null;
  result?.warnings?.push(...callbacks.warnings);
  return result;
}
