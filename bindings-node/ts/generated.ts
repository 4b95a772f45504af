// Generated from the Rust types of core by `npm run generate`. Do not edit.

/**
 * A bare file name: one path component, in any directory.
 */
export type FileName = string;
/**
 * Names one kind of upgrade, for example `v1-v2`. It is part of the backup's and the journal's name.
 */
export type Label = string;
/**
 * Eight lower-case hex digits that tell one attempt's files from another's.
 */
export type Nonce = string;
/**
 * The persistent part of a journal mode: whether the header's WAL flag is set.
 */
export type JournalMode = "delete" | "wal";
/**
 * Who a warning comes from.
 */
export type WarningFrom = "cutover" | "host";
/**
 * What kind of failure it is.
 */
export type Code =
  | "OWNED"
  | "HELD"
  | "NEWER"
  | "NOT_A_DATABASE"
  | "V1_CORRUPT"
  | "NO_SPACE"
  | "IO"
  | "JOURNAL"
  | "HOST"
  | "VERIFY"
  | "STILL_OLD"
  | "ABORTED";
/**
 * One thing that happened. Every wait and every retry is reported as it happens.
 */
export type Event =
  | {
      /**
       * 1 for the first try.
       */
      attempt: number;
      /**
       * What it is for.
       */
      kind: PlanKind;
      /**
       * How many steps it has.
       */
      steps: number;
      type: "plan";
    }
  | {
      /**
       * The file it is about.
       */
      file: string | null;
      /**
       * From 0, in `steps` or in `undo`.
       */
      index: number;
      /**
       * The op's name.
       */
      op: string;
      /**
       * How many there are in that list.
       */
      total: number;
      type: "step";
      /**
       * Whether it is an undo step.
       */
      undo: boolean;
      /**
       * Why it is done.
       */
      why: string;
    }
  | {
      /**
       * What they may add up to, milliseconds.
       */
      budgetMs: number;
      /**
       * This wait, milliseconds.
       */
      delayMs: number;
      /**
       * The file it is about.
       */
      file: string | null;
      /**
       * Who, as far as that can be told.
       */
      holders: Holder[];
      /**
       * The op that waits.
       */
      op: string;
      /**
       * What is in the way.
       */
      reason: string;
      type: "wait";
      /**
       * All waits of this run with this one, milliseconds.
       */
      waitedMs: number;
    }
  | {
      /**
       * Which one.
       */
      phase: Phase;
      type: "phase";
    }
  | {
      /**
       * How much is done, in the host's own unit.
       */
      done: number;
      /**
       * Of how much, where the host knows.
       */
      total: number | null;
      type: "progress";
    }
  | {
      type: "warning";
      /**
       * What.
       */
      warning: Warning;
    }
  | {
      /**
       * Because of this.
       */
      reason: string;
      type: "undo";
    }
  | {
      /**
       * How.
       */
      recovery: Recovery;
      type: "recovered";
    };
/**
 * What a plan is for.
 */
export type PlanKind = "migrate" | "finish" | "undo" | "clean" | "set-aside" | "restore" | "prune";
/**
 * How far a cutover has come.
 */
export type Phase = "building" | "built" | "installing" | "committed";
/**
 * The recovery that a start performed, as the result names it.
 */
export type Recovery = "none" | "finished" | "undone" | "cleaned" | "set-aside";
/**
 * Where the user's data is now.
 */
export type Where = "v1" | "v2" | "finish-at-next-start" | "unknown";
/**
 * Why an op did not succeed.
 */
export type Cause =
  | {
      kind: "os";
      /**
       * Its code.
       */
      os: OsCode;
    }
  | {
      kind: "denied";
      /**
       * Its code.
       */
      os: OsCode;
    }
  | {
      kind: "busy";
    }
  | {
      /**
       * Which ones, this process first.
       */
      holders: Holder[];
      kind: "held";
    }
  | {
      kind: "v1-changed";
    }
  | {
      kind: "companion-changed";
    }
  | {
      kind: "not-a-database";
    }
  | {
      kind: "v1-corrupt";
    }
  | {
      kind: "verify";
    }
  | {
      kind: "still-old";
    }
  | {
      kind: "newer";
    }
  | {
      kind: "host";
    }
  | {
      kind: "sidecar";
    }
  | {
      kind: "second-name";
    }
  | {
      kind: "sqlite";
    }
  | {
      kind: "aborted";
    };
/**
 * A file that an op works on: `<name>` in the database's directory, or `<companion>/<name>` in a companion's.
 */
export type At = string;
/**
 * How bad a finding is.
 */
export type Severity = "warning" | "error";
/**
 * When a step is performed; without one, always.
 */
export type Guard =
  | {
      if: "staging-held";
    }
  | {
      if: "staging-free";
    }
  | {
      /**
       * Which one.
       */
      companion: CompanionName;
      if: "companion-staged";
    }
  | {
      /**
       * Which one.
       */
      companion: CompanionName;
      if: "companion-staged-over-change";
    }
  | {
      /**
       * Which one.
       */
      companion: CompanionName;
      if: "companion-changed";
    }
  | {
      /**
       * Which one.
       */
      companion: CompanionName;
      if: "companion-differs";
    };
/**
 * The application's own word for a companion, for example `auth`.
 */
export type CompanionName = string;
/**
 * How v2 becomes canonical.
 */
export type Strategy = "link-replace" | "page-copy" | "two-rename" | "restore";
/**
 * Whose error codes and sharing rules apply.
 */
export type Platform = "linux" | "macos" | "windows";
/**
 * What `detect` says of a database.
 */
export type Verdict = "old" | "current" | "newer";
/**
 * One thing that the runner does.
 */
export type Op =
  | {
      /**
       * A name beside the journal.
       */
      file: FileName;
      op: "write-journal";
      /**
       * The phase it declares.
       */
      phase: Phase;
    }
  | {
      /**
       * A name beside the receipt.
       */
      file: FileName;
      op: "write-receipt";
    }
  | {
      /**
       * The file.
       */
      file: At;
      op: "sync-file";
    }
  | {
      /**
       * Whose directory; nothing for the database's own.
       */
      companion: CompanionName | null;
      op: "sync-dir";
    }
  | {
      /**
       * The file.
       */
      from: At;
      op: "link";
      /**
       * Its second name.
       */
      to: At;
    }
  | {
      /**
       * The file.
       */
      from: At;
      op: "rename";
      /**
       * Its new name.
       */
      to: At;
    }
  | {
      /**
       * The file.
       */
      from: At;
      op: "rename-new";
      /**
       * Its new name.
       */
      to: At;
    }
  | {
      /**
       * The files.
       */
      files: At[];
      op: "remove";
    }
  | {
      /**
       * The extra name.
       */
      link: FileName;
      /**
       * The name that stays.
       */
      of: FileName;
      op: "remove-link";
    }
  | {
      /**
       * The file.
       */
      from: At;
      op: "copy";
      /**
       * The new file, created exclusively.
       */
      to: At;
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "look";
    }
  | {
      op: "release";
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      /**
       * The journal mode that the file has afterwards.
       */
      mode: JournalMode;
      op: "settle";
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      /**
       * Its former mode.
       */
      mode: JournalMode;
      op: "restore-mode";
    }
  | {
      op: "build-sql";
      /**
       * Where v2 is built.
       */
      staging: FileName;
      /**
       * Where v1 is read.
       */
      v1: FileName;
    }
  | {
      op: "build-host";
      /**
       * The copy of v1 that it may open and change; staging itself when v2 starts as a copy of v1.
       */
      source: FileName;
      /**
       * Where v2 is built.
       */
      staging: FileName;
    }
  | {
      /**
       * The held database.
       */
      from: FileName;
      /**
       * Its journal mode.
       */
      mode: JournalMode;
      op: "restage";
      /**
       * The new file, created exclusively.
       */
      to: FileName;
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "check";
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "detect";
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "verify-host";
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "lock-v1";
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "check-v1";
    }
  | {
      op: "unlock-v1";
    }
  | {
      /**
       * v2, settled.
       */
      from: FileName;
      op: "page-copy";
      /**
       * The database.
       */
      to: FileName;
    }
  | {
      /**
       * The files.
       */
      files: FileName[];
      op: "absent";
    }
  | {
      /**
       * The companion.
       */
      companion: CompanionName;
      /**
       * Its bare file name.
       */
      file: FileName;
      /**
       * Whether a difference is a fault (before the flip), or a fact (after it).
       */
      mustBeSame: boolean;
      op: "look-companion";
    }
  | {
      op: "undo-host";
    }
  | {
      op: "cleanup-host";
    };
/**
 * Who builds v2.
 */
export type By = "sql" | "host";
/**
 * Where v2 starts from.
 */
export type From = "empty" | "copy";

/**
 * Every type that crosses to JavaScript, by its name.
 */
export interface Types {
  Backup: Backup;
  Code: Code;
  Event: Event;
  Explanation: Explanation;
  Failure: Failure;
  Fault: Fault;
  Finding: Finding;
  Guard: Guard;
  Holder: Holder;
  Journal: Journal;
  Label: Label;
  Left: Left;
  Names: Names;
  Nonce: Nonce;
  Observation: Observation;
  Op: Op;
  Phase: Phase;
  Plan: Plan;
  PlanKind: PlanKind;
  Platform: Platform;
  Receipt: Receipt;
  Recovery: Recovery;
  Request: Request;
  Rule: Rule;
  Strategy: Strategy;
  Verdict: Verdict;
  Warning: Warning;
}
/**
 * A backup, and what its receipt says.
 */
export interface Backup {
  /**
   * Backups of companions, in their own directories.
   */
  companions: {
    [k: string]: FileName;
  };
  /**
   * Which upgrade made it.
   */
  label: Label;
  /**
   * Its bare name, in the database's directory.
   */
  name: FileName;
  /**
   * Tells it from another that began in the same millisecond.
   */
  nonce: Nonce;
  /**
   * What the host's build returned.
   */
  report: unknown;
  /**
   * Bytes.
   */
  size: number;
  /**
   * When that began, Unix milliseconds.
   */
  startedMs: number;
  /**
   * v1, as it was settled. Nothing without a receipt, and for an upgrade that the daemon in the field began.
   */
  v1: V1 | null;
  /**
   * What went less than well in that upgrade.
   */
  warnings: Warning[];
  /**
   * Whether it can be restored, as far as can be told without opening it.
   */
  whole: boolean;
  /**
   * Why it is not whole.
   */
  why: string | null;
}
/**
 * v1, as it was settled; of a restore, the v2 that is replaced.
 */
export interface V1 {
  /**
   * Device and inode.
   */
  fileId: string;
  /**
   * Header and size. It tells only once v1 was settled.
   */
  fingerprint: Fingerprint;
  /**
   * The journal mode that v1 had before.
   */
  journalMode: JournalMode;
}
/**
 * The header and the size of a settled database.
 */
export interface Fingerprint {
  /**
   * The first 100 bytes in hex.
   */
  header: string;
  /**
   * Bytes.
   */
  size: number;
}
/**
 * Something that went less than well, and did not stop the cutover.
 */
export interface Warning {
  /**
   * A stable word, where there is one.
   */
  code: string | null;
  /**
   * Who says so.
   */
  from: WarningFrom;
  /**
   * One sentence.
   */
  message: string;
}
/**
 * A process that has a file of the set open.
 */
export interface Holder {
  /**
   * The program's name; empty where the platform does not tell.
   */
  name: string;
  /**
   * The process id; 0 where the platform does not tell.
   */
  pid: number;
  /**
   * Whether it is the process that is asking.
   */
  thisProcess: boolean;
}
/**
 * An explanation of a failure.
 */
export interface Explanation {
  /**
   * The kind of failure.
   */
  code: Code;
  /**
   * What became of the data.
   */
  data: string;
  /**
   * What to do.
   */
  hint: string;
  /**
   * What it means.
   */
  meaning: string;
  /**
   * The op that failed, where the text names one.
   */
  op: string | null;
  /**
   * The operating system's code, where the text names one.
   */
  os: string | null;
}
/**
 * Everything that is known of a failure. The same in Rust, in JSON and as `CutoverError` in JavaScript.
 */
export interface Failure {
  /**
   * How often the op was tried.
   */
  attempts: number;
  /**
   * What kind.
   */
  code: Code;
  /**
   * Where the data is.
   */
  data: Data;
  /**
   * What to do.
   */
  hint: string;
  /**
   * Who is in the way, this process first.
   */
  holders: Holder[];
  /**
   * One sentence, ending with the short code.
   */
  message: string;
  /**
   * The op that failed.
   */
  op: string | null;
  /**
   * The operating system's code, where there is one.
   */
  os: OsCode | null;
  /**
   * The file it failed on.
   */
  path: string | null;
  /**
   * The phase of the journal then.
   */
  phase: Phase | null;
  /**
   * What failed and why, without the rest of the message.
   */
  reason: string;
  /**
   * How long the run had waited by then, milliseconds.
   */
  waitedMs: number;
}
/**
 * Where the data is, with names.
 */
export interface Data {
  /**
   * In one word.
   */
  state: Where;
  /**
   * The file that holds all of v1.
   */
  v1: string | null;
  /**
   * The file that holds all of v2.
   */
  v2: string | null;
}
/**
 * An error code of the operating system with its names.
 */
export interface OsCode {
  /**
   * The POSIX name that Node gives it, for example `EBUSY`; `E<number>` where there is none.
   */
  code: string;
  /**
   * The platform's own name, for example `ERROR_SHARING_VIOLATION`.
   */
  name: string;
  /**
   * The number itself.
   */
  raw: number;
}
/**
 * An op that did not succeed, as the runner reports it.
 */
export interface Fault {
  /**
   * Why.
   */
  cause: Cause;
  /**
   * The file, where one is to blame.
   */
  file: At | null;
  /**
   * What the system, SQLite or the application said.
   */
  message: string;
}
/**
 * One thing that is wrong with a plan.
 */
export interface Finding {
  /**
   * What to do about it.
   */
  hint: string;
  /**
   * What is wrong, in one sentence.
   */
  message: string;
  /**
   * The stable id of the rule.
   */
  rule: string;
  /**
   * How bad it is.
   */
  severity: Severity;
  /**
   * The index of the step in `steps`, or in `undo` where `undo` is set; nothing for the plan as a whole.
   */
  step: number | null;
  /**
   * Whether the step is one of `undo`.
   */
  undo: boolean;
}
/**
 * Version 2 of the journal.
 */
export interface Journal {
  /**
   * 1 for the first try; an undo passes it on.
   */
  attempt: number;
  /**
   * The companions.
   */
  companions: Companion[];
  /**
   * Rows that the host expects in each table of v2.
   */
  expect: {
    [k: string]: number;
  };
  /**
   * What the host last saved.
   */
  hostState: unknown;
  /**
   * Which upgrade.
   */
  label: Label;
  /**
   * The files.
   */
  names: Names;
  /**
   * Which attempt's files.
   */
  nonce: Nonce;
  /**
   * How far it has come.
   */
  phase: Phase;
  /**
   * What the host's build returned.
   */
  report: unknown;
  /**
   * How v2 becomes canonical.
   */
  strategy: Strategy;
  /**
   * v1, once it was looked at; of a restore, what is replaced.
   */
  v1: V1 | null;
  /**
   * v2, once it was built; of a restore, what is installed.
   */
  v2: V2 | null;
  /**
   * Always 2.
   */
  version: number;
  /**
   * What went less than well.
   */
  warnings: Warning[];
}
/**
 * A companion, as it was when the build began.
 */
export interface Companion {
  /**
   * SHA-256 of what it staged, once that is known.
   */
  after: string | null;
  /**
   * SHA-256 of its content, or nothing where it did not exist.
   */
  before: string | null;
  /**
   * Its bare file name.
   */
  file: FileName;
  /**
   * The application's word for it.
   */
  name: CompanionName;
  /**
   * Whether the host staged new content.
   */
  staged: boolean;
}
/**
 * The names of one cutover, all in the directory of the canonical database.
 */
export interface Names {
  /**
   * v1 after the cutover.
   */
  backup: FileName;
  /**
   * The name the application opens.
   */
  canonical: FileName;
  /**
   * The file that is installed when staging itself cannot be.
   */
  install: FileName;
  /**
   * A private copy of v1, made only for a host callback.
   */
  source: FileName;
  /**
   * Where v2 is built.
   */
  staging: FileName;
}
/**
 * v2, as it was checked; of a restore, the copy of the backup that is installed.
 */
export interface V2 {
  /**
   * The file that will be installed: staging, or install.
   */
  file: FileName;
  /**
   * Device and inode.
   */
  fileId: string;
  /**
   * The masked digest of page 1.
   */
  page1: string;
  /**
   * Bytes.
   */
  size: number;
}
/**
 * A backup that no rule removes.
 */
export interface Left {
  /**
   * Its bare name.
   */
  backup: FileName;
  /**
   * Why it stays.
   */
  why: string;
}
/**
 * One look at the database's directory.
 */
export interface Observation {
  /**
   * Whether canonical can be given a second name. True where that was not tried.
   */
  canLink: boolean;
  /**
   * The database's bare name, symbolic links resolved.
   */
  canonical: FileName;
  /**
   * The declared companions.
   */
  companions: {
    [k: string]: CompanionFacts;
  };
  /**
   * Every file whose name is of the grammar.
   */
  files: {
    [k: string]: FileFacts;
  };
  /**
   * Free bytes on the volume for this user.
   */
  freeBytes: number | null;
  /**
   * Who has canonical or a sidecar of it open, this process first.
   */
  holders: Holder[];
  /**
   * The text of each journal; nothing where it could not be read as text.
   */
  journals: {
    [k: string]: string | null;
  };
  /**
   * Whose error codes and rules apply.
   */
  platform: Platform;
  /**
   * What `detect` says of canonical; nothing where it is missing, held or not a database.
   */
  verdict: Verdict | null;
}
/**
 * What was seen of a companion: a file outside the set that changes with it.
 */
export interface CompanionFacts {
  /**
   * Whether its directory is the database's.
   */
  beside: boolean;
  /**
   * SHA-256 of its content, or nothing where it does not exist.
   */
  digest: string | null;
  /**
   * Its bare name in its own directory.
   */
  file: FileName;
  /**
   * Where it is, for messages and to compare with the field's journal; never used as a target.
   */
  path: string;
  /**
   * The names in its directory that begin with its own: backups, staged content.
   */
  present: FileName[];
  /**
   * Which of them are the file itself, under a second name: what an interrupted rename or link may leave.
   */
  same: FileName[];
}
/**
 * What is known of one file without changing it.
 */
export interface FileFacts {
  /**
   * Device and inode (POSIX), or volume and file index (Windows), as text. Two names with one id are one file.
   */
  fileId: string;
  /**
   * The header, where the file is a database that could be read.
   */
  header: Header | null;
  /**
   * The masked digest of page 1, likewise.
   */
  page1: string | null;
  /**
   * Bytes.
   */
  size: number;
}
/**
 * The facts of a database header.
 */
export interface Header {
  /**
   * `PRAGMA application_id`.
   */
  applicationId: number;
  /**
   * All 100 bytes, in hex: with the size this is the fingerprint of a settled database.
   */
  bytes: string;
  /**
   * Counts the transactions that changed the file in rollback mode.
   */
  changeCounter: number;
  /**
   * From the read and write version.
   */
  journalMode: JournalMode;
  /**
   * The size of the database in pages, as the header has it.
   */
  pageCount: number;
  /**
   * Bytes in a page: a power of two, 512 to 65536.
   */
  pageSize: number;
  /**
   * `PRAGMA user_version`.
   */
  userVersion: number;
}
/**
 * An ordered list of ops.
 */
export interface Plan {
  /**
   * The index in `steps` from which on a failure is a warning: v2 is in place, durably, and the next start cleans up.
   */
  cleanupFrom: number | null;
  /**
   * The index in `steps` of the op that makes v2 canonical. A failure there or before it can be undone.
   */
  flipAt: number | null;
  /**
   * The journal as the run begins with it; nothing only when an unreadable one is set aside.
   */
  journal: Journal | null;
  /**
   * What it is for.
   */
  kind: PlanKind;
  /**
   * Free bytes that the worst case takes.
   */
  needsBytes: number;
  /**
   * Whose rules it keeps.
   */
  platform: Platform;
  /**
   * What to do, in order.
   */
  steps: Step[];
  /**
   * What to do when a step up to the flip fails; for `undo` plans, what to do after the steps.
   */
  undo: Step[];
  /**
   * Always 1.
   */
  version: number;
}
/**
 * One line of a plan.
 */
export interface Step {
  /**
   * What to do.
   */
  do: Op;
  /**
   * When; nothing means always.
   */
  when: Guard | null;
  /**
   * Why, in one sentence.
   */
  why: string;
}
/**
 * What is kept of a journal beside the backup: no host state.
 */
export interface Receipt {
  /**
   * The backup's name.
   */
  backup: FileName;
  /**
   * The database's name.
   */
  canonical: FileName;
  /**
   * Backups of companions, in their own directories.
   */
  companions: {
    [k: string]: FileName;
  };
  /**
   * Which upgrade.
   */
  label: Label;
  /**
   * Which attempt's files.
   */
  nonce: Nonce;
  /**
   * What the host's build returned.
   */
  report: unknown;
  /**
   * When the cutover began, Unix milliseconds.
   */
  startedMs: number;
  /**
   * How v2 became canonical.
   */
  strategy: Strategy;
  /**
   * v1, which the backup is. Nothing for a cutover that the daemon in the field began.
   */
  v1: V1 | null;
  /**
   * v2 as it was installed. Likewise.
   */
  v2: V2 | null;
  /**
   * Always 1.
   */
  version: number;
  /**
   * What went less than well.
   */
  warnings: Warning[];
}
/**
 * What the application asks for.
 */
export interface Request {
  /**
   * 1 for the first try.
   */
  attempt: number;
  /**
   * Who builds it.
   */
  by: By;
  /**
   * Where v2 starts from.
   */
  from: From;
  /**
   * Which upgrade.
   */
  label: Label;
  /**
   * Tells this attempt's files from another's.
   */
  nonce: Nonce;
  /**
   * Now, Unix milliseconds.
   */
  nowMs: number;
  /**
   * Whether the application looks at v2 before it is installed.
   */
  verify: boolean;
}
/**
 * Which backups may go. What is given must all hold of a backup that goes; nothing given: none goes.
 */
export interface Rule {
  /**
   * This many whole ones stay, the newest. None counts as one: the newest never goes.
   */
  keep: number | null;
  /**
   * Only those go whose upgrade began longer ago than this, milliseconds.
   */
  olderThanMs: number | null;
}
