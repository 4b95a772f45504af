// The words of an answer, for the page and the report.
import type { Diagnosis, Holds, Kind, Op, Plan, Safety } from "cutover-wasm";

export const KINDS: Record<Kind, string> = {
  bundle: "a doctor's bundle",
  plan: "a plan",
  journal: "a journal",
  receipt: "a backup's receipt",
  line: "a line of a log",
  file: "a file",
  folder: "a database with the files beside it",
  unknown: "none of the formats of cutover",
};

/** The answer in one sentence. */
export function headline({
  kind,
  safety,
  made,
}: Pick<Diagnosis, "kind" | "safety" | "made">): string {
  const plan: Record<Safety, string> = {
    safe: "This plan is safe to perform.",
    "not-safe": "Do not perform this plan.",
    "cannot-tell": "This is not enough to judge the plan.",
  };
  const data: Record<Safety, string> = {
    // A bundle has no pages: it says when the doctor read them.
    safe: made && kind === "bundle" ? `The data was safe on ${day(made.atMs)}.` : "The data is safe.",
    "not-safe": "The data is not safe.",
    "cannot-tell": "This is not enough to judge the data.",
  };
  return (kind === "plan" ? plan : data)[safety];
}

const day = (ms: number) =>
  new Date(ms).toLocaleString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: "UTC",
    timeZoneName: "short",
  });

export const ANSWERS: Record<Diagnosis["intact"]["answer"], string> = {
  yes: "Yes",
  no: "No",
  "cannot-tell": "Cannot tell",
};

export const SHORT: Record<Safety, string> = {
  safe: "Safe",
  "not-safe": "Not safe",
  "cannot-tell": "Cannot tell",
};

/** An explanation in three rows: what failed, why, and what to do. */
export function three({
  code,
  op,
  os,
  meaning,
  data,
  hint,
}: NonNullable<Diagnosis["explanation"]>): [string, string][] {
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

/** The purpose of a plan. */
export const PURPOSE: Record<Plan["kind"], string> = {
  migrate: "upgrade v1 to v2",
  finish: "finish an interrupted upgrade",
  undo: "undo an interrupted upgrade",
  clean: "remove the files that a finished upgrade left",
  "set-aside": "set an unreadable journal aside",
  restore: "restore a backup",
  prune: "remove old backups",
  adopt: "give a backup its receipt",
  "leave-zombie": "move the database to a file that no leaked connection has open",
};

/** The content of a file, in words. */
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
      return `Check that there is no ${op.files.join(", ")}`;
    case "sync-dir":
      return op.companion === null
        ? "Flush the directory"
        : `Flush the directory of ${op.companion}`;
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

const OPS: Record<
  Exclude<
    Op["op"],
    | "write-journal"
    | "link"
    | "rename"
    | "rename-new"
    | "copy"
    | "restage"
    | "isolate"
    | "page-copy"
    | "remove"
    | "absent"
    | "sync-dir"
    | "sync-file"
    | "remove-link"
    | "build-sql"
    | "build-host"
    | "look-companion"
  >,
  string
> = {
  "write-receipt": "Write the receipt",
  look: "Find the processes that hold",
  release: "Ask the application to release leaked connections",
  settle: "Checkpoint and close",
  "restore-mode": "Restore the journal mode of",
  check: "Check",
  detect: "Call detect on",
  "verify-host": "Let the application verify",
  "lock-v1": "Lock",
  "check-pages": "Let SQLite check the pages of",
  "check-v1": "Compare the fingerprint of",
  "unlock-v1": "Release the lock",
  "undo-host": "Let the application undo its changes outside the database",
  "cleanup-host": "Let the application clean up outside the database",
};

/** A number with its noun: `1 row`, `2 rows`. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? "" : "s"}`;
