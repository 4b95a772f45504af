// The verbs that look, and change nothing.
import { readFileSync, writeFileSync } from "node:fs";
import { listBackups } from "../../backups.js";
import { doctor as examine } from "../../doctor.js";
import type { Diagnosis, Explanation } from "../../generated.js";
import { inspect } from "../../inspect.js";
import { diagnose } from "../../pure/diagnose.js";
import { explainError } from "../../pure/plan.js";
import { nearest, usage } from "../arguments.js";
import { BY_CODE, exitCodes, Refusal } from "../exit.js";
import { json, table, type Line } from "../output.js";
import { bytes } from "../progress.js";
import { COMPANION, time, type Call, type Verb } from "../verb.js";

/** The diagnosis judges the data; of a plan, whether to perform it. */
const VERDICTS = {
  safe: {
    exit: exitCodes.ok,
    style: "green",
    data: "The data is safe.",
    plan: "This plan is safe to perform.",
  },
  "not-safe": {
    exit: exitCodes.bad,
    style: "red",
    data: "The data is not safe.",
    plan: "Do not perform this plan.",
  },
  "cannot-tell": {
    exit: exitCodes.cannotTell,
    style: "yellow",
    data: "status cannot tell whether the data is safe.",
    plan: "status cannot tell whether this plan is safe.",
  },
} as const;

/** The largest file that is read as a bundle, bytes: the diagnosis reads no larger one. */
const MOST = 16 << 20;

export const status: Verb = {
  on: "any",
  says: "say whether the data is safe, where it is, and what to do",
  page: [
    "Looks at a database and the files beside it, lets SQLite check the pages, and says whether",
    "the data is safe, where v1 and v2 are, what the next start of the application will do, and",
    "what to do. It names every file that may hold rows.",
    "",
    "It takes the database, its folder, or the bundle that a customer sent (see doctor). A backup's",
    "receipt, a journal or a plan will do as well. Status changes nothing and takes no lock.",
    "Close the application first: of a database that is open no program can tell that it is safe.",
  ],
  options: COMPANION,
  examples: [
    ["status DB", "is the data safe?"],
    ["status bundle.json", "what the customer's bundle says"],
    ["status --quiet DB && echo safe", "the exit code alone"],
  ],
  async run({ path, options }) {
    const sent = await given(path);
    const looked = async () =>
      diagnose({ text: JSON.stringify(await examine(path, looking(options))) });
    const diagnosis = sent ?? (await looked());
    const { exit } = VERDICTS[diagnosis.safety];
    return { data: diagnosis, words: judged(diagnosis, sent !== undefined), exit };
  },
};

/** What a bundle, or another text of cutover's, says. Nothing where the file is none. */
async function given(path: string): Promise<Diagnosis | undefined> {
  // It opens no file that this process has open; closing it would drop the locks of SQLite.
  const { exists, size, held, header } = await inspect(path);
  if (!exists || held || header !== null || (size ?? 0) > MOST) return undefined;
  const raw = readFileSync(path);
  // PowerShell's `>` writes UTF-16.
  const utf16 = raw[0] === 0xff && raw[1] === 0xfe;
  const text = new TextDecoder(utf16 ? "utf-16le" : "utf-8").decode(raw);
  if (!/^\s*\{/.test(text)) return undefined;
  const diagnosis = diagnose({ text });
  // What is no text of cutover's may be a database that another program wrote over.
  return diagnosis.kind === "unknown" ? undefined : diagnosis;
}

/** The options that the doctor takes. */
const looking = ({ companions, onEvent, signal }: Call["options"]) => ({
  companions,
  onEvent,
  signal,
});

/** A bundle that was sent has no pages: it says what they were when the doctor read them. */
function headline({ kind, safety, made }: Diagnosis, sent: boolean): string {
  const { data, plan } = VERDICTS[safety];
  if (kind === "plan") return plan;
  if (!sent || safety !== "safe" || made === null) return data;
  const form = { dateStyle: "long", timeStyle: "short", timeZone: "UTC" } as const;
  return `The data was safe on ${new Date(made.atMs).toLocaleString("en-GB", form)} UTC.`;
}

function judged(diagnosis: Diagnosis, sent: boolean): Line[] {
  const { safety, because, v1, v2, next, action, facts } = diagnosis;
  const { style } = VERDICTS[safety];
  const row = (name: string, text: string): Line => [["dim", name.padEnd(13)], text];
  return [
    [[style, headline(diagnosis, sent)]],
    because,
    "",
    row("v1:", v1.says),
    row("v2:", v2.says),
    row("next start:", next),
    row("what to do:", action),
    "",
    ...facts,
  ];
}

export const doctor: Verb = {
  on: "database",
  says: "write one JSON for a support person, without rows",
  page: [
    "Writes a bundle: which files there are, their headers, journals and receipts, whether SQLite",
    "finds the pages sound, and what the next start would do. It has no rows, and writes home",
    "directories as ~. Read it before you send it.",
    "",
    "A support person gives the bundle to status, or drops it on the diagnostics page.",
    "Doctor changes nothing and takes no lock.",
  ],
  options: {
    ...COMPANION,
    out: { value: "FILE", says: "write the bundle to a new file; one that exists is refused" },
    "application-data": {
      says: "include the application's state, report and messages, maybe personal",
    },
  },
  examples: [
    ["doctor DB > bundle.json", "the bundle"],
    ["doctor DB --out bundle.json", "the same file, never over another one"],
  ],
  async run({ path, options, values }) {
    const applicationData = values.has("application-data");
    const made = await examine(path, { ...looking(options), applicationData });
    const out = values.get("out")?.[0];
    if (out === undefined) return { data: made, words: json(made) };
    // Never over an existing file, which could be the database.
    writeFileSync(out, json(made), { flag: "wx" });
    return { data: { out }, words: [`The bundle is in ${out}.`] };
  },
};

export const backups: Verb = {
  on: "database",
  says: "list the backups, the newest first",
  page: [
    "Lists every backup of a database: its name, the upgrade that made it, when, its size, and",
    "whether it is whole. A whole backup can be restored. A backup that is not whole has no receipt",
    "that fits it: `adopt` checks it and gives it one.",
    "",
    "It reads names, sizes and receipts, opens no database and takes no lock.",
  ],
  options: {},
  examples: [["backups DB", "the list"]],
  async run({ path }) {
    const list = await listBackups(path);
    const rows = list.map(({ name, label, startedMs, size, whole, why }) => [
      name,
      label,
      time(startedMs),
      bytes(size),
      whole ? "whole" : `not whole: ${why}`,
    ]);
    const words =
      rows.length > 0
        ? table(["backup", "upgrade", "made", "size", "state"], rows)
        : [`${path} has no backup.`];
    return { data: list, words };
  },
};

export const explain: Verb = {
  on: "nothing",
  takes: { name: "text", many: true, optional: true },
  says: "explain a failure by its code, or by a line of a log",
  page: [
    "Says what a failure means, where the data is, and what to do. It takes a code such as HELD, or",
    "any text with a short code in it: an error message, a line of a log. Without a text it lists",
    "the codes.",
  ],
  options: {},
  examples: [
    ["explain HELD", "what the code means"],
    ['explain "upgrade failed [cutover:NO_SPACE:copy:ENOSPC]"', "what a line of a log means"],
  ],
  async run({ words }) {
    const codes = Object.keys(BY_CODE);
    const text = words.join(" ");
    if (text === "") {
      const all = codes.map((code) => explainError(`[cutover:${code}]`) as Explanation);
      return {
        data: all,
        words: table(
          ["code", "meaning"],
          all.map((of) => [of.code, of.meaning]),
        ),
      };
    }
    const bare = codes.find((code) => code === text.toUpperCase());
    const explanation = explainError(bare === undefined ? text : `[cutover:${bare}]`);
    if (explanation !== null) return { data: explanation, words: explained(explanation) };
    // One word is a code that was mistyped.
    if (words.length === 1 && /^\w+$/.test(text)) {
      throw usage(`there is no code ${text}${nearest(text.toUpperCase(), codes)}`);
    }
    throw new Refusal(
      exitCodes.files,
      "the text has no short code; a message of cutover's ends with one, such as [cutover:HELD]",
    );
  },
};

function explained({ code, meaning, data, hint, op, os }: Explanation): Line[] {
  const row = (name: string, text: string): Line => [["dim", name.padEnd(13)], text];
  return [
    [["bold", code]],
    row("it means:", meaning),
    row("the data:", data),
    row("what to do:", hint),
    ...(op === null ? [] : [row("failed at:", op)]),
    ...(os === null ? [] : [row("the system:", os)]),
  ];
}
