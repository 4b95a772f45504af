import { Callbacks } from "./application.js";
import type { Plan, Recovery, Strategy, Warning } from "./generated.js";
import { Lock } from "./lock.js";
import { checkOptions, crossing, crossingShared, type Json, type MigrateOptions } from "./options.js";
import { planText } from "./pure/plan.js";
import { deliver } from "./session.js";

/** What {@link migrate} did. */
export interface MigrateResult<R extends Json = Json> {
  /** "migrated": it is v2 now, also when a recovery finished it. "current": it was v2 already. "no-database": there is none. */
  outcome: "migrated" | "current" | "no-database";
  /** What was recovered before. */
  recovery: Recovery;
  /** Where v1 is now, if this start made the cutover, finished it or cleaned up after it. Later starts give `null`: `listBackups` knows. */
  backup: string | null;
  /** What the build gave, also when it did so in an earlier start. */
  report: R | null;
  /** How v2 became the database. */
  strategy: Strategy | null;
  /** What went less than well, and did not stop it. */
  warnings: Warning[];
}

/** What {@link recover} did. */
export type RecoverResult<R extends Json = Json> = Omit<MigrateResult<R>, "outcome" | "strategy">;

/**
 * Upgrades the database: finishes or undoes what an earlier start began, then migrates a v1, and does nothing to anything else. Call it before
 * the application opens the database.
 *
 * All work is done on a thread of its own: the event loop is free. Callbacks may be synchronous or not.
 *
 * @throws {@link CutoverError} It says where the data is: v1 is whole in its place unless v2 is. What a callback threw is the `cause`.
 * @throws {@link TypeError} Wrong options; nothing was touched.
 */
export async function migrate<S extends Json = Json, R extends Json = Json>(options: MigrateOptions<S, R>): Promise<MigrateResult<R>> {
  return (await upgrade("migrate", options)) as MigrateResult<R>;
}

/**
 * Finishes or undoes what an earlier start began, and nothing else. Takes the same options as {@link migrate}.
 *
 * @throws As {@link migrate}.
 */
export async function recover<S extends Json = Json, R extends Json = Json>(options: MigrateOptions<S, R>): Promise<RecoverResult<R>> {
  return (await upgrade("recover", options)) as RecoverResult<R>;
}

/**
 * What {@link migrate} would do first: a recovery or the migration, step by step with the reason for each. `null`: nothing. Takes no lock, and
 * changes no more than any reader of the database does: the hot journal of a killed process is rolled back. Whether the database can be linked is not
 * tried, but taken for granted.
 *
 * @throws As {@link migrate}, for what can be told beforehand.
 */
export async function plan<S extends Json = Json, R extends Json = Json>(options: MigrateOptions<S, R>): Promise<Plan | null> {
  return (await upgrade("plan", options)) as Plan | null;
}

/**
 * Performs exactly this plan, once its structure was checked and it is seen to be for the state that the database is in.
 *
 * @throws {@link CutoverError} `JOURNAL` for a plan that cannot be used; else as {@link migrate}.
 */
export async function runPlan<S extends Json = Json, R extends Json = Json>(
  plan: Plan | string,
  options: MigrateOptions<S, R>,
): Promise<MigrateResult<R>> {
  return (await upgrade({ runPlan: planText(plan) }, options)) as MigrateResult<R>;
}

async function upgrade<S extends Json, R extends Json>(verb: string | object, options: MigrateOptions<S, R>): Promise<unknown> {
  checkOptions(options);
  const callbacks = new Callbacks(options);
  const lock = options.lock instanceof Lock ? options.lock.native : null;
  const task = { upgrade: { verb, shared: crossingShared(options.path, options), options: crossing(options) } };
  const result = (await deliver(task, callbacks, lock)) as { warnings?: Warning[] } | null;
  result?.warnings?.push(...callbacks.warnings);
  return result;
}
