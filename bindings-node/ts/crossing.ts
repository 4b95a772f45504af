// The options as they cross to the thread of a task: its `Shared` and `UpgradeGiven`.
import type { Detect, Json, MigrateOptions } from "./options.js";

/** The options that every task shares, as they cross. */
export function crossingShared(
  path: string,
  options: Pick<
    MigrateOptions,
    "companions" | "unseen" | "waitMs" | "integrity" | "lock" | "onEvent" | "signal"
  >,
): object {
  const { companions = {}, waitMs = null } = options;
  return {
    path,
    companions,
    waitMs,
    full: options.integrity === "full",
    held: options.lock === "held",
    unseen: options.unseen === "proceed",
    events: options.onEvent !== undefined,
    aborted: options.signal?.aborted ?? false,
  };
}

/** Tells one `detect` from another in the whole process, which may have several workers. */
const detects = new WeakMap<Detect & Function, string>();

function idOf(detect: Detect & Function): string {
  const id = detects.get(detect) ?? crypto.randomUUID();
  detects.set(detect, id);
  return id;
}

/** The options of an upgrade alone, as they cross. Callbacks stay here. */
export function crossing<S extends Json, R extends Json>(options: MigrateOptions<S, R>): object {
  const { label, detect, make, keepBackups = null } = options;
  return {
    label,
    detect: typeof detect === "function" ? { host: idOf(detect) } : detect,
    from: make.from,
    sql: typeof make.run === "function" ? null : make.run.sql,
    keepBackups,
    verify: options.verify !== undefined,
    proceed: options.held === "proceed",
    checkV1: options.checkV1 ?? true,
  };
}
