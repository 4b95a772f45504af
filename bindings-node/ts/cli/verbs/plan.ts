// Plans, shown and not performed.
import { doctor } from "../../doctor.js";
import type { Canonical, Finding, Op, Plan, Step, Verdict } from "../../generated.js";
import { plan as planUpgrade } from "../../migrate.js";
import { validatePlan } from "../../pure/plan.js";
import { exitCodes } from "../exit.js";
import type { Line } from "../output.js";
import { bytes } from "../progress.js";
import { plural, type Answer, type Application, type Call, type Verb } from "../verb.js";

export const plan: Verb = {
  on: "application",
  says: "show what the next start would do, and do nothing",
  page: [
    "Shows the plan of the next start: each step with its reason, the room that the plan needs, and",
    "what is in its way (findings). The plan is that of the upgrade, or of the recovery of one that",
    "was interrupted. Where there is nothing to do it says so.",
    "",
    "Plan takes no lock and creates no file. It calls `detect` of the application. It changes what",
    "any reader changes: SQLite rolls back the hot journal of a killed process.",
  ],
  options: {},
  examples: [["plan", "steps, room and findings"]],
  async run(call) {
    return shown(await planUpgrade(call.application as Application), call);
  },
};

/** Said where there is no finding. */
const NONE = ["Nothing is in the way."];

/** A plan, the room for it, and what is in its way. */
export async function shown(planned: Plan | null, { path, options }: Call): Promise<Answer> {
  if (planned === null) {
    const data = { plan: null, freeBytes: null, findings: [] };
    return { data, words: [`There is nothing to do for ${path}.`] };
  }
  const { companions, signal } = options;
  // The folder as the doctor sees it. No page is checked.
  const { observation, next } = await doctor(path, { companions, signal, checkUpTo: 0 });
  const verdict = verdictOf(planned, next.canonical);
  const target = verdict === undefined ? undefined : { ...observation, verdict };
  const findings = validatePlan(planned, target);
  const { freeBytes } = observation;
  return {
    data: { plan: planned, freeBytes, findings },
    words: [
      ...steps(planned, freeBytes),
      "",
      ...findings.flatMap(found),
      ...NONE.slice(findings.length),
    ],
    exit: findings.length > 0 ? exitCodes.bad : exitCodes.ok,
  };
}

/**
 * What `detect` says of the database, as far as it is known without asking: the plan was made after
 * it was asked. Undefined: the plan is judged by itself alone.
 */
function verdictOf({ kind }: Plan, canonical: Canonical): Verdict | null | undefined {
  if (kind === "migrate") return "old";
  if (kind === "restore") return null;
  if (canonical === "v1") return "old";
  return canonical === "v2" ? "current" : undefined;
}

function steps({ kind, steps, undo, needsBytes, flipAt }: Plan, freeBytes: number | null): Line[] {
  const free = freeBytes === null ? "" : `; ${bytes(freeBytes)} are free`;
  const step = ({ do: op, when, why }: Step, index: number): Line[] => [
    [
      ["dim", `${index + 1}. `.padStart(5)],
      ["bold", [op.op, named(op)].join(" ").trimEnd()],
      ...(when === null ? [] : [["dim", `  if ${when.if}`] as const]),
      ...(index === flipAt ? [["green", "  the flip"] as const] : []),
    ],
    `     ${why}`,
  ];
  return [
    [["bold", kind], `: ${plural(steps.length, "step")}`],
    `It needs ${bytes(needsBytes)} of room${free}.`,
    "",
    ...steps.flatMap(step),
    "",
    `If a step before the end fails, ${plural(undo.length, "step")} undo what was done.`,
  ];
}

/** The files of an op. */
function named(op: Op): string {
  const { file, from, to, staging, files, link } = op as Op & {
    [name in "file" | "from" | "to" | "staging" | "link"]?: string;
  } & { files?: string[] };
  const one = file ?? link ?? staging ?? files?.join(", ") ?? "";
  return from === undefined ? one : `${from} → ${to}`;
}

function found({ message, step, undo, hint }: Finding): Line[] {
  const where = step === null ? "" : ` (${undo ? "undo, " : ""}step ${step + 1})`;
  return [[["red", "finding: "], `${message}${where}; ${hint}`]];
}
