// Checks options before a call touches anything. A wrong option is a TypeError, which says what the
// option must be.
import { inspect } from "node:util";

/** Says what a value must be; `undefined` when the value is right. */
export type Check = (value: unknown) => string | undefined;

export function refuse(where: string, must: string, value: unknown): never {
  throw new TypeError(
    `cutover: ${where} must be ${must}, not ${inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 100 })}`,
  );
}

const when =
  (right: (value: unknown) => boolean, must: string): Check =>
  (value) =>
    right(value) ? undefined : must;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const text = when(
  (value) => typeof value === "string" && value !== "" && value.isWellFormed(),
  "a well-formed string that is not empty",
);
/** Text that SQLite compiles: it would stop reading at a NUL. */
export const sql = when(
  (value) => typeof value === "string" && value.isWellFormed() && !value.includes("\0"),
  "a well-formed string without a NUL character",
);
export const callback = when((value) => typeof value === "function", "a function");
export const flag = when((value) => typeof value === "boolean", "true or false");
export const object = when(isObject, "an object");
export const oneOf = (...words: string[]) =>
  when((value) => words.includes(value as string), words.map((word) => `"${word}"`).join(" or "));
export const whole = (from: number, to: number) =>
  when(
    (value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to,
    `a whole number from ${from} to ${to}`,
  );

/** Checks the members of an object. A member whose name ends with `?` may be missing. */
export function checkFields(where: string, value: unknown, fields: Record<string, Check>): void {
  if (!isObject(value)) refuse(where, "an object", value);
  const names = new Map(Object.keys(fields).map((name) => [name.replace("?", ""), name]));
  for (const name of Object.keys(value)) {
    if (!names.has(name))
      throw new TypeError(
        `cutover: ${where}.${name} is unknown; the known members are ${[...names.keys()].join(", ")}`,
      );
  }
  for (const [name, field] of names) {
    if (value[name] === undefined && field !== name) continue;
    const must = fields[field]?.(value[name]);
    if (must !== undefined) refuse(`${where}.${name}`, must, value[name]);
  }
}

/**
 * JSON for the addon, which takes no half of a surrogate pair. `JSON.stringify` writes such a half,
 * and nothing else, as an escape `\ud800` to `\udfff`.
 */
export function toJson(value: object, where: string): string {
  const json = JSON.stringify(value);
  if (/(?<!\\)(?:\\\\)*\\ud[89a-f][0-9a-f]{2}/.test(json))
    throw new TypeError(
      `cutover: ${where} must be well-formed strings: one has half of a surrogate pair`,
    );
  return json;
}

/** The path of a file, checked. */
export function filePath(value: unknown, where: string): string {
  const must = text(value);
  if (must !== undefined) refuse(where, must, value);
  return value as string;
}
