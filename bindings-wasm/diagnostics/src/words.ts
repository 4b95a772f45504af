// The words of an answer, the same on the page and in the report.
import type { Diagnosis, Kind, Safety } from "cutover-wasm";

export const KINDS: Record<Kind, string> = {
  bundle: "a doctor's bundle",
  plan: "a plan",
  journal: "a journal",
  receipt: "a backup's receipt",
  line: "a line of a log",
  file: "a file",
  folder: "a database with what lies beside it",
  unknown: "nothing that is known here",
};

/** The answer in one sentence. */
export function headline({ kind, safety }: Pick<Diagnosis, "kind" | "safety">): string {
  const plan: Record<Safety, string> = { safe: "This plan is safe to perform.", "not-safe": "Do not perform this plan.", "cannot-tell": "Whether this plan may be performed cannot be told." };
  const data: Record<Safety, string> = { safe: "The data is safe.", "not-safe": "The data is not safe.", "cannot-tell": "It cannot be told from this." };
  return (kind === "plan" ? plan : data)[safety];
}

export const SHORT: Record<Safety, string> = { safe: "Safe", "not-safe": "Not safe", "cannot-tell": "Cannot tell" };

/** What failed, why, and what to do. */
export function three({ code, op, os, meaning, data, hint }: NonNullable<Diagnosis["explanation"]>): [string, string][] {
  const what = [code, op && `in ${op}`, os && `(${os})`].filter(Boolean).join(" ");
  return [
    ["What", what],
    ["Why", `${meaning} The data: ${data}`],
    ["What to do", hint],
  ];
}

/** The step of a finding. */
export function where({ step, undo }: Diagnosis["findings"][number]): string {
  return step === null ? "the plan" : `${undo ? "undo " : ""}step ${step + 1}`;
}
