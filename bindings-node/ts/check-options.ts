// The checks of options, and of what callbacks return.
import {
  callback,
  checkFields,
  flag,
  isObject,
  object,
  oneOf,
  refuse,
  sql,
  text,
  whole,
  type Check,
} from "./check.js";
import { Lock } from "./lock.js";
import type { Json, MigrateOptions } from "./options.js";

const stamp: Check = (value) =>
  isObject(value) &&
  sql(value.table) === undefined &&
  sql(value.column) === undefined &&
  typeof value.value === "string" &&
  value.value.isWellFormed() &&
  Object.keys(value).length === 3
    ? undefined
    : "{ table, column, value }, all well-formed strings";

const detect: Check = (value) => {
  if (typeof value === "function") return undefined;
  if (!isObject(value) || Object.keys(value).length !== 1)
    return "{ stamp }, { userVersion } or a function";
  if ("stamp" in value) return stamp(value.stamp) && `{ stamp: ${stamp(value.stamp)} }`;
  const must = whole(-(2 ** 31), 2 ** 31 - 1)(value.userVersion);
  return must && `{ userVersion: ${must} }`;
};

const run: Check = (value) => {
  if (typeof value === "function") return undefined;
  return isObject(value) && typeof value.sql === "string" && Object.keys(value).length === 1
    ? undefined
    : "{ sql } or a function";
};

export const paths: Check = (value) =>
  isObject(value) &&
  Object.entries(value).every(([name, path]) => name.isWellFormed() && text(path) === undefined)
    ? undefined
    : "an object of name -> path";

export const lock: Check = (value) =>
  value instanceof Lock || value === "held" ? undefined : 'the result of lock(), or "held"';

export const signal: Check = (value) =>
  value instanceof AbortSignal ? undefined : "an AbortSignal";

/** Refuses wrong options before the call touches anything. */
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
    "unseen?": oneOf("refuse", "proceed"),
    "waitMs?": whole(0, Number.MAX_SAFE_INTEGER),
    "keepBackups?": whole(0, 2 ** 32 - 1),
    "integrity?": oneOf("quick", "full"),
    "checkV1?": flag,
    "onEvent?": callback,
    "signal?": signal,
  });
  checkFields("options.make", options.make, { from: oneOf("empty", "copy"), run });
  if (typeof options.make.run !== "function")
    checkFields("options.make.run", options.make.run, { sql });
}

/** The result of a build, with its defaults. */
export function checkBuilt(built: unknown): { expect: Record<string, number>; report: unknown } {
  if (built === undefined || built === null) return { expect: {}, report: null };
  checkFields("the result of make.run", built, { "expect?": object, "report?": () => undefined });
  const { expect = {}, report = null } = built as {
    expect?: Record<string, number>;
    report?: unknown;
  };
  for (const [table, rows] of Object.entries(expect)) {
    const must = whole(0, Number.MAX_SAFE_INTEGER)(rows);
    if (must !== undefined) refuse(`expect.${table}`, must, rows);
  }
  return { expect, report };
}
