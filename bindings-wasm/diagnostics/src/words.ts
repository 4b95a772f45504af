// The words of an answer, the same on the page and in the report.
import type { Diagnosis, Holds, Kind, Op, Plan, Safety } from "cutover-wasm";

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

/** What a plan is for. */
export const PURPOSE: Record<Plan["kind"], string> = {
  migrate: "upgrade v1 to v2",
  finish: "finish an interrupted upgrade",
  undo: "undo an interrupted upgrade",
  clean: "remove what a finished upgrade left",
  "set-aside": "set an unreadable journal aside",
  restore: "restore a backup",
  prune: "remove old backups",
  "leave-zombie": "move the database to a file that no closed connection has open",
};

/** What a file holds. */
export const held = (what: Holds) => what.replace(/^journal-/, "journal: ").replaceAll("-", " ");

/** One sentence for an op. */
export function tell(op: Op): string {
  switch (op.op) {
    case "write-journal":
      return `Write ${op.file}: ${op.phase}`;
    case "link":
      return `Give ${op.from} a second name, ${op.to}`;
    case "rename":
    case "rename-new":
      return `Rename ${op.from} to ${op.to}`;
    case "copy":
    case "restage":
    case "isolate":
    case "page-copy":
      return `Copy ${op.from} to ${op.to}`;
    case "remove":
      return `Remove ${op.files.join(", ")}`;
    case "absent":
      return `Read back that there is no ${op.files.join(", ")}`;
    case "sync-dir":
      return op.companion === null ? "Flush the directory" : `Flush the directory of ${op.companion}`;
    case "sync-file":
      return `Flush ${op.file}`;
    case "remove-link":
      return `Remove ${op.link}, a second name of ${op.of}`;
    case "build-sql":
      return `Build ${op.staging} from ${op.v1}`;
    case "build-host":
      return `Let the application build ${op.staging}`;
    case "look-companion":
      return `Compare the companion ${op.file}`;
    default:
      return "file" in op ? `${OPS[op.op]} ${op.file}` : OPS[op.op];
  }
}

const OPS: Record<Exclude<Op["op"], "write-journal" | "link" | "rename" | "rename-new" | "copy" | "restage" | "isolate" | "page-copy" | "remove" | "absent" | "sync-dir" | "sync-file" | "remove-link" | "build-sql" | "build-host" | "look-companion">, string> = {
  "write-receipt": "Write the receipt",
  look: "Look who has it open:",
  release: "Ask the application to let go of its handles",
  settle: "Make one file of",
  "restore-mode": "Give back its journal mode to",
  check: "Check",
  detect: "Ask detect of",
  "verify-host": "Let the application look at",
  "lock-v1": "Lock",
  "check-v1": "Compare with its fingerprint",
  "unlock-v1": "Let go of the lock",
  "undo-host": "Let the application undo what it did outside",
  "cleanup-host": "Let the application clean up outside",
};
