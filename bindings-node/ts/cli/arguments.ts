// The command line as it was typed: a verb, its options, and what it works on.
import { parseArgs } from "node:util";
import { closestMatch } from "leven";
import { exitCodes, Refusal } from "./exit.js";

/** An option of a verb. */
export interface Option {
  /** Stands for its value in the help; without it the option has none. */
  value?: string;
  short?: string;
  /** It may be repeated. */
  many?: true;
  /** The values that it may have. */
  oneOf?: readonly string[];
  says: string;
}

export type Options = Readonly<Record<string, Option>>;

/** The options of every verb. */
export const COMMON: Options = {
  help: { short: "h", says: "this page" },
  version: { says: "the version" },
  json: { says: "print the answer, and a failure, as one JSON document" },
  quiet: {
    short: "q",
    says: "neither progress nor an answer in words; the exit code is the answer",
  },
  "no-color": { says: "no colours, as with NO_COLOR in the environment" },
};

/** What the options were given, by name. An option without a value is "". */
export type Values = ReadonlyMap<string, readonly string[]>;

export interface Typed {
  /** Its first word; none for `cutover` alone. */
  verb: string | undefined;
  /** The words after it. */
  words: readonly string[];
  values: Values;
}

/**
 * Reads a command line. `verbs`: the options of each verb.
 *
 * @throws {@link Refusal} for a verb or an option that is not known, with the nearest one, and for
 * a wrong value.
 */
export function read(argv: readonly string[], verbs: Readonly<Record<string, Options>>): Typed {
  const all: Options = Object.assign({}, COMMON, ...Object.values(verbs));
  const config = Object.entries(all).map(([name, { value, short }]) => [
    name,
    { type: value === undefined ? "boolean" : "string", ...(short && { short }) },
  ]);
  // It is not strict, since it names no nearest option.
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(config),
    strict: false,
    tokens: true,
  });
  const [verb, ...words] = positionals;
  if (verb !== undefined && !Object.hasOwn(verbs, verb)) {
    throw usage(`there is no verb ${verb}${nearest(verb, Object.keys(verbs))}`);
  }
  const known: Options = { ...COMMON, ...(verb === undefined ? {} : verbs[verb]) };
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const option = Object.hasOwn(known, name) ? known[name] : undefined;
    if (option === undefined) {
      const names = Object.keys(known).map((name) => `--${name}`);
      const near = rawName.startsWith("--") ? nearest(rawName, names) : "";
      throw usage(`${verb === undefined ? "there is" : `${verb} has`} no option ${rawName}${near}`);
    }
    if (option.value === undefined) {
      if (value !== undefined) throw usage(`${rawName} has no value`);
    } else if (!value || (!inlineValue && value.startsWith("-"))) {
      throw usage(`${rawName} needs a value: ${rawName} ${option.value}`);
    } else if (option.oneOf !== undefined && !option.oneOf.includes(value)) {
      const near = nearest(value, option.oneOf);
      throw usage(`${rawName} is ${option.oneOf.join(" or ")}, not ${value}${near}`);
    }
    const given = values.get(name) ?? [];
    if (given.length > 0 && option.value !== undefined && !option.many) {
      throw usage(`${rawName} is given twice`);
    }
    values.set(name, [...given, value ?? ""]);
  }
  return { verb, words, values };
}

/** `; did you mean status?`, or nothing where no candidate is near. */
export function nearest(word: string, candidates: readonly string[]): string {
  const maxDistance = Math.max(2, Math.floor(word.length / 3));
  const found = closestMatch(word, candidates, { maxDistance });
  return found === undefined ? "" : `; did you mean ${found}?`;
}

export const usage = (why: string) => new Refusal(exitCodes.usage, why);

/** The companions in `--companion NAME=FILE`. */
export function companions(values: Values): Record<string, string> {
  const named = (values.get("companion") ?? []).map((text) => {
    const [, name, file] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (name === undefined || file === undefined) {
      throw usage(`a companion is NAME=FILE, not ${text}`);
    }
    return [name, file];
  });
  return Object.fromEntries(named) as Record<string, string>;
}

/** A whole number, not negative. */
export function count(values: Values, name: string): number | undefined {
  const text = values.get(name)?.[0];
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw usage(`--${name} is a whole number, not ${text}`);
  return Number(text);
}

const UNITS_MS = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** An age such as `30d`, in milliseconds. */
export function ageMs(values: Values, name: string): number | undefined {
  const text = values.get(name)?.[0];
  if (text === undefined) return undefined;
  const [, number, unit] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  if (unit === undefined) {
    throw usage(
      `--${name} is a number of hours, days or weeks, such as 12h, 30d or 4w, not ${text}`,
    );
  }
  return Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}
