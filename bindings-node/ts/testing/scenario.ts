// What the author of a sweep writes, and what they get.
import type { Event } from "../generated.js";
import type { Json, MigrateOptions } from "../options.js";

/** What a scenario's `start` gets. */
export interface Context {
  /** The folder in which `seed` left v1. Each start of a sweep has its own copy. */
  readonly directory: string;
  /**
   * Hears the upgrade before the application does, and passes every event on to the application's
   * own `onEvent`. With this, the kit is also called at each callback. Use it for the options of
   * the call: `migrate(context.options({ path, … }))`.
   */
  options<S extends Json = Json, R extends Json = Json>(
    own: MigrateOptions<S, R>,
  ): MigrateOptions<S, R>;
  /**
   * For a start that lets in a listener alone. The kit is not called at callbacks then, and the
   * report says what was not tried.
   */
  onEvent(event: Event): Promise<void>;
}

/** What a scenario's `check` gets. */
export interface CheckContext<T = unknown> {
  /** The folder of the database. */
  readonly directory: string;
  /** What the last `start` returned. */
  readonly result: T;
  /** Whether `write` ran before the upgrade ended: what it wrote must be there. */
  readonly wrote: boolean;
}

/** The exports of a scenario's module. Each runs in a process of its own, on the sweep's runtime. */
export interface Scenario<T = unknown> {
  /** Leaves a v1 in an empty folder, as the old release does. The process is killed afterwards. */
  seed(directory: string): unknown;
  /** Starts the application, up to the point at which its database is open or could be. */
  start(context: Context): T | Promise<T>;
  /** Throws if the data is not what it must be. It runs in the process of the last `start`. */
  check(context: CheckContext<Awaited<T>>): unknown;
  /** Writes a row to v1 as another program does, such as the old release. Without it that is not tried. */
  write?(directory: string): unknown;
}
