// Runs one command line.
import type { BackupOptions } from "../backups.js";
import type { Event, Warning } from "../generated.js";
import { companions, read, usage, type Typed } from "./arguments.js";
import { exitCodes, Refusal, told, type ExitCode } from "./exit.js";
import { database } from "./find.js";
import { optionsOf, page, usageLines, version, type Program } from "./help.js";
import { json, Output } from "./output.js";
import { Progress } from "./progress.js";
import { stoppable } from "./stop.js";
import type { Answer, Application, Call, Verb } from "./verb.js";
import { VERBS } from "./verbs.js";

/** How an application ships the command line. */
export interface CliOptions {
  /** What a person types before the verb, such as `myapp db`. Default: `cutover`. */
  name?: string;
  /**
   * The application's own options. The verbs work on its database, with its companions; `plan` and
   * `recover` need them. Its `onEvent` and its `signal` take part as well.
   */
  migrate?: Application;
}

/**
 * Runs one command line, and returns its exit code. The answer goes to the standard output;
 * progress, warnings and failures go to the standard error. Ctrl-C stops the verb, and a second one
 * ends the process. `argv` is what follows the name of the program.
 *
 * It does not throw, and does not end the process: set `process.exitCode` to the result.
 */
export async function main(argv: readonly string[], options: CliOptions = {}): Promise<ExitCode> {
  const { name = "cutover", migrate } = options;
  const program = { name, application: migrate !== undefined };
  const words = argv[0] === "help" ? [...argv.slice(1), "--help"] : argv;
  const output = new Output(words.includes("--no-color"));
  let typed: Typed | undefined;
  try {
    typed = read(words, optionsOfAll(program));
    return await run(typed, program, migrate, output);
  } catch (error) {
    const failure = told(error);
    const whose = error instanceof Refusal ? `${name}: ` : "";
    output.say([["red", `${whose}${failure.message}`]]);
    if (failure.exit === exitCodes.usage) {
      const verb = typed?.verb ?? words.find((word) => Object.hasOwn(VERBS, word));
      for (const line of usageLines(verb, program)) output.say(line);
    }
    // The standard output may be what failed.
    if (words.includes("--json"))
      await output.answer(json({ error: failure })).catch(() => undefined);
    return failure.exit;
  }
}

const optionsOfAll = (program: Program) =>
  Object.fromEntries(Object.entries(VERBS).map(([name, verb]) => [name, optionsOf(verb, program)]));

async function run(
  typed: Typed,
  program: Program,
  application: Application | undefined,
  output: Output,
): Promise<ExitCode> {
  const { verb: name, values } = typed;
  if (values.has("version")) return print({ data: null, words: [version] }, output);
  if (values.has("help")) return print({ data: null, words: page(name, program) }, output);
  const verb = name === undefined ? undefined : VERBS[name];
  if (verb === undefined) throw usage("name a verb");
  const progress = new Progress(output, values.has("quiet"));
  try {
    const { path, words } = await place(typed, verb, program, application);
    const answer = await stoppable(path, application?.signal, output, progress, (signal) =>
      verb.run(call(typed, { path, words, progress }, application, signal)),
    );
    const { warnings = [] } = (answer.data ?? {}) as { warnings?: Warning[] };
    for (const { message } of warnings) progress.warn(message);
    progress.end();
    if (values.has("json")) return await print({ ...answer, words: json(answer.data) }, output);
    const quiet = values.has("quiet") && typeof answer.words !== "string";
    return await print(quiet ? { ...answer, words: [] } : answer, output);
  } finally {
    progress.end();
  }
}

async function print({ words, exit = exitCodes.ok }: Answer, output: Output): Promise<ExitCode> {
  await output.answer(words);
  return exit;
}

/** What the verb works on, and the words that are left for it. */
async function place(
  { verb: name, words }: Typed,
  { on, takes }: Verb,
  { application: own }: Program,
  application: Application | undefined,
): Promise<{ path: string; words: readonly string[] }> {
  if (on === "application" && application === undefined) {
    const why =
      `${name} needs the application, which alone knows v1 from v2 and how it makes v2; call it ` +
      `through the application's own command line. \`status\` says what the next start does`;
    throw new Refusal(exitCodes.unavailable, why);
  }
  const typesPath = (on === "database" && !own) || (on === "any" && (!own || words.length > 0));
  const [path = "", ...more] = typesPath ? words : [application?.path ?? "", ...words];
  const wanted = takes === undefined ? 0 : 1;
  if (typesPath && path === "") throw usage(`${name} needs a database`);
  if (more.length < wanted && !takes?.optional)
    throw usage(`${name} needs the name of a ${takes?.name}`);
  if (more.length > wanted && !takes?.many)
    throw usage(`${name} takes no ${more[wanted]}; quote a name with spaces`);
  return { path: typesPath ? await database(path) : path, words: more };
}

/** The call of a verb: the application's options, or those of the command line. */
function call(
  { values }: Typed,
  rest: Pick<Call, "path" | "words" | "progress">,
  application: Application | undefined,
  signal: AbortSignal,
): Call {
  const onEvent = async (event: Event) => {
    rest.progress.hear(event);
    await application?.onEvent?.(event);
  };
  const heard = application && { ...application, onEvent, signal };
  const typed = { companions: companions(values), ...unseen(values.get("unseen")?.[0]) };
  // A person may name another database than the application's, which has other companions.
  const own = application && rest.path === application.path ? application : undefined;
  const given: BackupOptions = own ? shared(own) : typed;
  const options = { ...given, companions: given.companions ?? {}, onEvent, signal };
  return { ...rest, values, options, application: heard };
}

const unseen = (value: string | undefined): Pick<BackupOptions, "unseen"> =>
  value === undefined ? {} : { unseen: value as "refuse" | "proceed" };

/** Those of an application's options that work on backups takes. */
function shared(application: Application): BackupOptions {
  const names = ["companions", "lock", "releaseHandles", "unseen", "waitMs", "integrity"] as const;
  const given = names.filter((name) => application[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, application[name]]));
}
