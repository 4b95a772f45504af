// The pages of the help.
import { COMMON, type Option, type Options } from "./arguments.js";
import { exitCodes } from "./exit.js";
import type { Line } from "./output.js";
import type { Verb } from "./verb.js";
import { VERBS } from "./verbs.js";

declare const VERSION: string;
export const version = `cutover ${VERSION}`;

/** What the help depends on: the name of the program, and whether it has an application's options. */
export interface Program {
  name: string;
  application: boolean;
}

/** What a verb is called with: `status <file>`. */
export function synopsis(name: string, { on, takes }: Verb, { application }: Program): string {
  const file = on === "any" ? "file" : "database";
  const works = on === "nothing" || on === "application" ? "" : application ? "" : `<${file}>`;
  const own = application && on === "any" ? "[<file>]" : works;
  const rest = takes && `<${takes.name}>${takes.many ? "..." : ""}`;
  const last = takes?.optional ? `[${rest}]` : rest;
  return [name, own, last].filter(Boolean).join(" ");
}

/** The options that a verb has: an application's options say the rest. */
export function optionsOf({ options }: Verb, { application }: Program): Options {
  const own = Object.entries(options).filter(
    ([name]) => !(application && (name === "companion" || name === "unseen")),
  );
  return Object.fromEntries(own);
}

/** The line that stands below a refused command line. */
export function usageLines(name: string | undefined, program: Program): string[] {
  const verb = name === undefined ? undefined : VERBS[name];
  if (name === undefined || verb === undefined) {
    return [
      `usage: ${program.name} <verb> [options]; the verbs are ${Object.keys(VERBS).join(", ")}`,
      `${program.name} --help says more`,
    ];
  }
  return [
    `usage: ${program.name} ${synopsis(name, verb, program)} [options]`,
    `${program.name} ${name} --help says more`,
  ];
}

/** The page of a verb, or of the whole. */
export function page(name: string | undefined, program: Program): Line[] {
  const verb = name === undefined ? undefined : VERBS[name];
  return name === undefined || verb === undefined ? whole(program) : one(name, verb, program);
}

/** The database of the examples. */
const DATABASE = "~/.myapp/data.db ";

const head = (text: string): Line => [["bold", text]];

function whole(program: Program): Line[] {
  const verbs = Object.entries(VERBS).map(([name, verb]): [string, string] => [
    synopsis(name, verb, program),
    verb.says,
  ]);
  return [
    `${version}: looks after a database that an application upgrades with cutover`,
    "",
    [["bold", "usage: "], `${program.name} <verb> [options]`],
    "",
    ...columns(verbs),
    "",
    ...(program.application
      ? []
      : [
          "<database> is the file that the application opens, or its folder. `plan` and `recover` need",
          "the application: it ships them with its own options.",
          "",
        ]),
    head("options of every verb"),
    ...listed(COMMON),
    "",
    head("exit code"),
    ...columns(exits),
    "",
    `\`${program.name} <verb> --help\` says what a verb does, and shows examples.`,
  ];
}

const EXITS: Record<keyof typeof exitCodes, string> = {
  ok: "done; `status`: the data is safe",
  bad: "the data is not safe; a plan has findings; a crash would end badly",
  cannotTell: "`status` cannot tell",
  usage: "the command line is wrong",
  files: "the files are not what the verb needs: damaged, newer, not whole, no database",
  noDatabase: "the folder has no database, or more than one",
  unavailable: "the verb needs the application, or this system has no addon",
  fault: "the application's own code failed, or cutover has a fault",
  io: "the system refused to read or write: rights, a full disk, also behind `>`",
  inUse: "another program uses the database",
  stopped: "Ctrl-C or SIGTERM stopped it",
};
const exits = Object.entries(EXITS).map(([name, says]): [string, string] => [
  `${exitCodes[name as keyof typeof exitCodes]}`,
  says,
]);

function one(name: string, verb: Verb, program: Program): Line[] {
  const own = optionsOf(verb, program);
  return [
    [["bold", "usage: "], `${program.name} ${synopsis(name, verb, program)} [options]`],
    "",
    ...verb.page,
    "",
    ...(Object.keys(own).length > 0 ? [head("options"), ...listed(own), ""] : []),
    head("options of every verb"),
    ...listed(COMMON),
    "",
    head("examples"),
    ...verb.examples.flatMap(([line, says]) => [
      `  ${program.name} ${line.replace(/DB ?/, program.application ? "" : DATABASE)}`,
      `      ${says}`,
    ]),
  ];
}

function listed(options: Options): Line[] {
  const name = ([name, { short, value }]: [string, Option]) =>
    `${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}`;
  return columns(Object.entries(options).map((of) => [name(of), of[1].says]));
}

/** Two columns; a long entry of the first has its own line. */
function columns(rows: readonly (readonly [string, string])[]): Line[] {
  const width = Math.min(Math.max(...rows.map(([left]) => left.length)), 28);
  return rows.flatMap(([left, right]): Line[] =>
    left.length > width
      ? [`  ${left}`, `  ${"".padEnd(width)}  ${right}`]
      : [`  ${left.padEnd(width)}  ${right}`],
  );
}
