// Options are checked before anything is touched. A wrong one is a TypeError that says what, where and what to do.
import { inspect } from "node:util";

/** Says what a value must be, or nothing when it is that. */
export type Check = (value: unknown) => string | undefined;

export function refuse(where: string, must: string, value: unknown): never {
  throw new TypeError(`cutover: ${where} must be ${must}, not ${inspect(value, { depth: 0, breakLength: Infinity })}`);
}

const when = (right: (value: unknown) => boolean, must: string): Check => (value) => (right(value) ? undefined : must);

export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

export const text = when((value) => typeof value === "string" && value !== "" && value.isWellFormed(), "a well-formed string that is not empty");
export const callback = when((value) => typeof value === "function", "a function");
export const object = when(isObject, "an object");
export const oneOf = (...words: string[]) => when((value) => words.includes(value as string), words.map((word) => `"${word}"`).join(" or "));
export const whole = (from: number, to: number) =>
  when((value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to, `a whole number from ${from} to ${to}`);

/** Checks an object against what may be in it. Names that end with `?` may be missing. */
export function checkFields(where: string, value: unknown, fields: Record<string, Check>): void {
  if (!isObject(value)) refuse(where, "an object", value);
  const names = new Map(Object.keys(fields).map((name) => [name.replace("?", ""), name]));
  for (const name of Object.keys(value)) {
    if (!names.has(name)) throw new TypeError(`cutover: ${where}.${name} is not known; there are ${[...names.keys()].join(", ")}`);
  }
  for (const [name, field] of names) {
    if (value[name] === undefined && field !== name) continue;
    const must = fields[field]?.(value[name]);
    if (must !== undefined) refuse(`${where}.${name}`, must, value[name]);
  }
}

/** The path of a file as it was given. */
export function filePath(value: unknown, where: string): string {
  const must = text(value);
  if (must !== undefined) refuse(where, must, value);
  return value as string;
}
