// The crash explorer.
import type { CrashMatrix, Model, Question } from "../../generated.js";
import { explore as exploreCrashes, replayCrash } from "../../pure/explore.js";
import { exitCodes, Refusal } from "../exit.js";
import { table, type Line } from "../output.js";
import type { Call, Verb } from "../verb.js";

const MODELS: Record<Model, string> = {
  M0: "kill",
  M1: "power, in order",
  M2: "power, any order",
  M3: "power, half a rename",
  Windows: "power, Windows",
};
/** How many lines that replay a bad crash are shown. */
const SHOWN = 5;

export const explore: Verb = {
  on: "nothing",
  says: "crash an upgrade at every instant on a model disk",
  page: [
    "Stops the upgrade at every instant of every step, derives every state in which the disk may then",
    "be, lets the next start recover from each, and judges the result. It samples nothing, and touches",
    "no file: the disk is a model, the planner is the real one. The table has the states for each",
    "step and each kind of crash, and how many of them are bad.",
    "",
    "Called by the application, it explores the way in which the application builds v2.",
  ],
  options: {
    strategy: {
      value: "NAME",
      oneOf: ["link-replace", "page-copy", "two-rename"],
      says: "how v2 becomes the database; two-rename is the naive way, for comparison",
    },
    by: { value: "sql|host", oneOf: ["sql", "host"], says: "SQL or the application builds v2" },
    from: { value: "empty|copy", oneOf: ["empty", "copy"], says: "what v2 starts as" },
    platform: {
      value: "linux|windows",
      oneOf: ["linux", "windows"],
      says: "whose rules apply; linux stands for macOS as well",
    },
    replay: { value: "LINE", says: "tell one crash, by the line that the explorer printed for it" },
  },
  examples: [
    ["explore", "every crash of an upgrade by SQL"],
    ["explore --strategy two-rename", "what two plain renames would lose"],
  ],
  async run(call) {
    const replay = call.values.get("replay")?.[0];
    if (replay !== undefined) {
      const lines = await replayCrash(replay);
      if (lines === null) throw new Refusal(exitCodes.usage, `${replay} names no crash`);
      return { data: lines, words: lines };
    }
    const matrix = await exploreCrashes(question(call), {
      onProgress: (done) => call.progress.explored(done),
      signal: call.options.signal,
    });
    const ill = matrix.bad > 0 || matrix.broken > 0;
    return { data: matrix, words: drawn(matrix), exit: ill ? exitCodes.bad : exitCodes.ok };
  },
};

function question({ values, application }: Call): Question {
  const given = <T extends string>(name: string, otherwise: T) =>
    (values.get(name)?.[0] ?? otherwise) as T;
  const strategy = given<Question["strategy"]>("strategy", "link-replace");
  const here = process.platform === "win32" ? "windows" : "linux";
  const platform = given<Question["platform"]>("platform", here);
  // Two renames are explored as the program before cutover did them: SQL, from nothing.
  const make = strategy === "two-rename" ? undefined : application?.make;
  return {
    strategy,
    platform,
    by: given("by", typeof make?.run === "function" ? "host" : "sql"),
    from: given("from", make?.from ?? "empty"),
    models: platform === "windows" ? ["Windows"] : ["M0", "M1", "M2", "M3"],
  };
}

function drawn({ question, steps, cells, states, bad, broken }: CrashMatrix): Line[] {
  const rows = steps.map(({ op, file }, at) => [
    `${at + 1}`,
    file === null ? op : `${op} ${file}`,
    ...(cells[at] ?? []).map((cell) => {
      const ill = cell.bad + cell.broken;
      return cell.states === 0 ? "·" : ill > 0 ? `${ill} bad of ${cell.states}` : `${cell.states}`;
    }),
  ]);
  const lines = cells
    .flat()
    .flatMap(({ crashes }) => crashes)
    .flatMap(({ bad, broken, replay }) => {
      const found = bad ?? broken;
      return found === null ? [] : [`${found.rule}: ${found.what}`, `  --replay '${replay}'`];
    });
  const ill = bad > 0 || broken > 0;
  const sum = `${states} crash states. From ${bad} the next start ends badly; ${broken} have no whole database, or no way to v1, until that start.`;
  return [
    ...table(["", "step", ...question.models.map((model) => MODELS[model])], rows),
    "",
    ...lines.slice(0, 2 * SHOWN),
    [[ill ? "red" : "green", sum]],
  ];
}
