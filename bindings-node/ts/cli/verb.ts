// What a verb is.
import type { BackupOptions } from "../backups.js";
import type { MigrateOptions } from "../options.js";
import type { Options, Values } from "./arguments.js";
import type { ExitCode } from "./exit.js";
import type { Line } from "./output.js";
import type { Progress } from "./progress.js";

/** The options of an application, of any report and state. */
export type Application = MigrateOptions<any, any>;

/** One call of a verb. */
export interface Call {
  /** The database. Empty for a verb that works on none. */
  path: string;
  /** The words after the verb, without that of the database. */
  words: readonly string[];
  values: Values;
  /** What the functions take: the application's, or those of the command line. */
  options: BackupOptions & Required<Pick<BackupOptions, "companions" | "onEvent" | "signal">>;
  /** For a verb that needs the application, with the listener and the signal of this call. */
  application: Application | undefined;
  progress: Progress;
}

/** What a verb answers. */
export interface Answer {
  /** What `--json` prints: core/schema and cli.schema.json have its form. */
  data: unknown;
  /** The answer in words; a text is printed as it is, whatever the options say. */
  words: readonly Line[] | string;
  /** Default: ok. */
  exit?: ExitCode;
}

/**
 * What a verb works on.
 *
 * - database: a database or its folder; with an application's options, the application's.
 * - any: that, or a bundle.
 * - application: the application's database alone, whose options the verb needs.
 */
export type WorksOn = "database" | "any" | "application" | "nothing";

export interface Verb {
  on: WorksOn;
  /** The words that follow: `<backup>`. */
  takes?: { name: string; many?: true; optional?: true };
  /** One line for the list of verbs. */
  says: string;
  /** The page of its help. */
  page: readonly string[];
  options: Options;
  /** What to write after the name of the program, and what it does. */
  examples: readonly (readonly [string, string])[];
  run(call: Call): Promise<Answer>;
}

/** The options of a verb that works on a database without an application's options. */
export const COMPANION: Options = {
  companion: {
    value: "NAME=FILE",
    many: true,
    says: "a file that the upgrade changes too, and the application's name for it",
  },
};

/** The options of a verb that changes files. */
export const CHANGE: Options = {
  ...COMPANION,
  unseen: {
    value: "refuse|proceed",
    oneOf: ["refuse", "proceed"],
    says: "where no program can be seen: proceed says that none has it open",
  },
};

/** The time of a backup, in UTC. */
export function time(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "?" : `${date.toISOString().slice(0, 19)}Z`;
}

export const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? "" : "s"}`;
