// Generated from the Rust types of core by `npm run generate`. Do not edit.

/**
 * A bare file name: one path component, in any directory.
 */
export type FileName = string;
/**
 * Names one kind of upgrade, for example `v1-v2`. It is part of the backup's and the journal's
 * name.
 */
export type Label = string;
/**
 * Eight lower-case hex digits that tell one attempt's files from another's.
 */
export type Nonce = string;
/**
 * How v2 becomes canonical.
 */
export type Strategy = "link-replace" | "page-copy" | "two-rename" | "restore" | "restore-page-copy";
/**
 * The persistent part of a journal mode: whether the header's WAL flag is set.
 */
export type JournalMode = "delete" | "wal";
/**
 * Who a warning comes from.
 */
export type WarningFrom = "cutover" | "host";
/**
 * What came of SQLite's `quick_check` of the database, in its place or in a private copy.
 */
export type Check =
  | {
      result: "sound";
    }
  | {
      /**
       * How many problems SQLite named.
       */
      problems: number;
      result: "damaged";
    }
  | {
      result: "not-made";
      /**
       * Why not.
       */
      why: string;
    };
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
export type PlanKind = "migrate" | "finish" | "undo" | "clean" | "set-aside" | "restore" | "prune" | "leave-zombie";
/**
 * How far a cutover has come.
 */
export type Phase = "building" | "built" | "installing" | "committed";
/**
 * The recovery that a start performed, as the result names it.
 */
export type Recovery = "none" | "finished" | "undone" | "cleaned" | "set-aside";
/**
 * How the text of a database is stored.
 */
export type TextEncoding = "UTF-8" | "UTF-16le" | "UTF-16be";
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
 * Where the user's data is now.
 */
export type DataState = "v1" | "v2" | "finish-at-next-start" | "unknown";
/**
 * Whose error codes and sharing rules apply.
 */
export type Platform = "linux" | "macos" | "windows";
/**
 * What canonical is, as far as files alone tell.
 */
export type Canonical = "missing" | "not-opened" | "not-a-database" | "v1" | "v2" | "unknown";
/**
 * What the next start would do first.
 */
export type Does = "ask-detect" | "begin-new" | "recover" | "refuse";
/**
 * The application's own word for a companion, for example `auth`.
 */
export type CompanionName = string;
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
      file: PlanPath;
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
      from: PlanPath;
      op: "link";
      /**
       * Its second name.
       */
      to: PlanPath;
    }
  | {
      /**
       * The file.
       */
      from: PlanPath;
      op: "rename";
      /**
       * Its new name.
       */
      to: PlanPath;
    }
  | {
      /**
       * The file.
       */
      from: PlanPath;
      op: "rename-new";
      /**
       * Its new name.
       */
      to: PlanPath;
    }
  | {
      /**
       * The files.
       */
      files: PlanPath[];
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
      from: PlanPath;
      op: "copy";
      /**
       * The new file, created exclusively.
       */
      to: PlanPath;
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
       * The copy of v1 that it may open and change; staging itself when v2 starts as a copy of
       * v1.
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
       * The held database.
       */
      from: FileName;
      op: "isolate";
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
 * A file that an op works on: `<name>` in the database's directory, or `<companion>/<name>` in a
 * companion's.
 */
export type PlanPath = string;
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
 * Why no file can take a companion's place, and never could by waiting.
 */
export type ReplaceBlocker = "mount-point" | "immutable" | "read-only";
/**
 * What `detect` says of a database.
 */
export type Verdict = "old" | "current" | "newer";
/**
 * What SQLite makes of a log.
 */
export type WalState = "empty" | "unusable" | "usable";
/**
 * Who builds v2.
 */
export type BuildBy = "sql" | "host";
/**
 * Where v2 starts from.
 */
export type BuildFrom = "empty" | "copy";
/**
 * How the machine stops.
 */
export type Model = "M0" | "M1" | "M2" | "M3" | "Windows";
/**
 * What is wrong with a plan.
 */
export type FindingKind =
  | "structure"
  | "step"
  | "mark"
  | "journal"
  | "state"
  | "platform"
  | "other-database"
  | "held"
  | "space"
  | "companion-replaceable"
  | "cross-volume"
  | "name-taken"
  | "case-collision"
  | "windows-name";
/**
 * What it was taken for.
 */
export type Kind = "bundle" | "plan" | "journal" | "receipt" | "line" | "file" | "folder" | "unknown";
/**
 * Whether the data is safe; of a plan, whether performing it is.
 */
export type Safety = "safe" | "not-safe" | "cannot-tell";
/**
 * What a file holds.
 */
export type Holds =
  | "v1"
  | "copy-of-v1"
  | "v2"
  | "journal-building"
  | "journal-built"
  | "journal-installing"
  | "journal-committed"
  | "receipt"
  | "companion"
  | "log"
  | "as-found"
  | "unflushed"
  | "not-known";
/**
 * What a file is for.
 */
export type LaneRole =
  | "canonical"
  | "log"
  | "staging"
  | "source"
  | "install"
  | "backup"
  | "receipt"
  | "journal"
  | "new-journal"
  | "displaced"
  | "companion"
  | "file";
/**
 * Why an op did not succeed.
 */
export type OpErrorKind =
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
 * Every type that crosses to JavaScript, by its name.
 */
export interface Types {
  Backup: Backup;
  Bundle: Bundle;
  Code: Code;
  CrashMatrix: CrashMatrix;
  DatabaseHeader: DatabaseHeader;
  Diagnosis: Diagnosis;
  Dropped: Dropped;
  DroppedFile: DroppedFile;
  Event: Event;
  Explanation: Explanation;
  Failure: Failure;
  Finding: Finding;
  Guard: Guard;
  Holder: Holder;
  Journal: Journal;
  Label: Label;
  Lanes: Lanes;
  Left: Left;
  Names: Names;
  Nonce: Nonce;
  Observation: Observation;
  Op: Op;
  OpError: OpError;
  Phase: Phase;
  Plan: Plan;
  PlanKind: PlanKind;
  Platform: Platform;
  Progress: Progress;
  Question: Question;
  Receipt: Receipt;
  Recovery: Recovery;
  Request: Request;
  Rule: Rule;
  Strategy: Strategy;
  Verdict: Verdict;
  Wal: Wal;
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
   * How v2 became canonical: `page-copy` made the backup as a copy, through SQLite; else it is
   * v1's own file. Nothing without a receipt.
   */
  strategy: Strategy | null;
  /**
   * v1, as it was settled. Nothing without a receipt, and for an upgrade that an application
   * began before it had cutover.
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
 * v1, as it was settled; in a restore, the v2 that is replaced.
 */
export interface V1 {
  /**
   * Device and inode.
   */
  fileId: string;
  /**
   * Header and size. They prove something only once v1 was settled.
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
 * A problem that did not stop the upgrade.
 */
export interface Warning {
  /**
   * A stable word, where there is one.
   */
  code: string | null;
  /**
   * Who warns.
   */
  from: WarningFrom;
  /**
   * One sentence.
   */
  message: string;
}
/**
 * What a doctor found.
 */
export interface Bundle {
  /**
   * Whether SQLite finds the pages of canonical sound.
   */
  check: Check;
  /**
   * The events that it kept, oldest first.
   */
  events: Event[];
  /**
   * The header of canonical. Nothing where it was not opened, or is no database.
   */
  header: DatabaseHeader | null;
  /**
   * The last failure that the application kept.
   */
  lastError: Failure | null;
  /**
   * Who made it, and where.
   */
  made: Made;
  /**
   * What the next start would do, and the plan of it where it would recover.
   */
  next: NextStart;
  /**
   * What lies in its directory. The journals are in it, as text.
   */
  observation: Observation;
  /**
   * The database's path, the home directory as `~`.
   */
  path: string;
  /**
   * The text of each receipt; nothing where it could not be read as text.
   */
  receipts: {
    [k: string]: string | null;
  };
  /**
   * Always 1.
   */
  version: number;
  /**
   * What the log of canonical holds. Nothing where there is none, or it was not opened.
   */
  wal: Wal | null;
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
 * The 100 bytes of a database header (<https://www.sqlite.org/fileformat2.html#the_database_header>), and what they say of the file.
 */
export interface DatabaseHeader {
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
   * `PRAGMA default_cache_size`, in pages.
   */
  defaultCacheSize: number;
  /**
   * The first page of the list of free pages; 0 where there is none.
   */
  firstFreelistPage: number;
  /**
   * How many pages are free.
   */
  freelistPages: number;
  /**
   * Whether the database vacuums itself in steps.
   */
  incrementalVacuum: boolean;
  /**
   * From the read version: whether the WAL flag is set.
   */
  journalMode: JournalMode;
  /**
   * The largest root page where the database vacuums itself; else 0.
   */
  largestRootPage: number;
  /**
   * Always 32.
   */
  leafPayloadFraction: number;
  /**
   * Always 64.
   */
  maxPayloadFraction: number;
  /**
   * Always 32.
   */
  minPayloadFraction: number;
  /**
   * The masked digest of page 1, where all of that page was given. It identifies v2.
   */
  page1: string | null;
  /**
   * The size of the database in pages. It counts only where `pageCountIsValid`.
   */
  pageCount: number;
  /**
   * Whether the SQLite that wrote last kept `pageCount`: it is not 0, and `versionValidFor` is
   * the change counter.
   */
  pageCountIsValid: boolean;
  /**
   * Bytes in a page: a power of two, 512 to 65536.
   */
  pageSize: number;
  /**
   * What does not fit, one sentence each. None: header and size are those of a sound database;
   * its pages were not looked at.
   */
  problems: string[];
  /**
   * File format to read: likewise.
   */
  readVersion: number;
  /**
   * Bytes at the end of each page that an extension keeps for itself.
   */
  reservedBytes: number;
  /**
   * Changes with the schema.
   */
  schemaCookie: number;
  /**
   * 1 to 4; 0 in a database without a table.
   */
  schemaFormat: number;
  /**
   * Bytes of the file, where they are known.
   */
  size: number | null;
  /**
   * The SQLite that wrote last, for example 3046001 for 3.46.1.
   */
  sqliteVersion: number;
  /**
   * The encoding of text. Nothing in a database without a table, or where the number is none
   * that SQLite has.
   */
  textEncoding: TextEncoding | null;
  /**
   * `PRAGMA user_version`.
   */
  userVersion: number;
  /**
   * The change counter when `sqliteVersion` was written.
   */
  versionValidFor: number;
  /**
   * File format to write: 1 legacy, 2 WAL.
   */
  writeVersion: number;
}
/**
 * Everything that is known of a failure: in Rust, in JSON and as `CutoverError` in JavaScript.
 * `Display` gives the message, one sentence that ends with the short code.
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
  data: DataLocation;
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
export interface DataLocation {
  /**
   * In one word.
   */
  state: DataState;
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
 * Who made a bundle.
 */
export interface Made {
  /**
   * The processor's architecture, for example `x86_64`.
   */
  arch: string;
  /**
   * When, Unix milliseconds.
   */
  atMs: number;
  /**
   * The version of this project.
   */
  cutover: string;
  /**
   * Whose rules apply.
   */
  platform: Platform;
  /**
   * What ran it, for example `node 22.4.0`.
   */
  runtime: string | null;
  /**
   * The version of SQLite in it.
   */
  sqlite: string;
}
/**
 * What the next start would do.
 */
export interface NextStart {
  /**
   * What canonical is.
   */
  canonical: Canonical;
  /**
   * In one word.
   */
  does: Does;
  /**
   * How it recovers.
   */
  plan: Plan | null;
  /**
   * Why it refuses.
   */
  refusal: Failure | null;
  /**
   * In one sentence.
   */
  says: string;
}
/**
 * An ordered list of ops.
 */
export interface Plan {
  /**
   * The index in `steps` from which on a failure is a warning: v2 is in place, durably, and the
   * next start cleans up.
   */
  cleanupFrom: number | null;
  /**
   * The index in `steps` of the op that makes v2 canonical. A failure there or before it can be
   * undone.
   */
  flipAt: number | null;
  /**
   * The journal as the run begins with it. A plan has none that sets an unreadable journal aside,
   * prunes backups, or leaves a zombie behind.
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
   * Whose rules apply.
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
 * Version 2 of the journal.
 */
export interface Journal {
  /**
   * 1 for the first try. After an undo, the next attempt counts on.
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
   * v1, once it was seen; in a restore, the database that is replaced.
   */
  v1: V1 | null;
  /**
   * v2, once it was built; in a restore, the database that is installed.
   */
  v2: V2 | null;
  /**
   * Always 2.
   */
  version: number;
  /**
   * The problems that did not stop it.
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
   * Its path, for messages and for comparison; never used as a target.
   */
  path: string;
  /**
   * That path, relative to the database's directory; on another drive, `path` itself.
   */
  relative: string;
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
 * v2, as it was checked; in a restore, the copy of the backup that is installed.
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
   * SHA-256 of its content, or nothing where it does not exist.
   */
  digest: string | null;
  /**
   * Its bare name in its own directory.
   */
  file: FileName;
  /**
   * Why nothing can take its place; left out where something can, or it does not exist.
   */
  irreplaceable?: ReplaceBlocker | null;
  /**
   * Where it is, for messages and to compare with a journal's; never used as a target.
   */
  path: string;
  /**
   * The names in its directory that begin with its own: backups, staged content.
   */
  present: FileName[];
  /**
   * The same, from the database's directory; on another drive as it is.
   */
  relative: string;
  /**
   * Which of them are the file itself, under a second name: what an interrupted rename or link
   * may leave.
   */
  same: FileName[];
}
/**
 * What is known of one file without changing it.
 */
export interface FileFacts {
  /**
   * Device and inode (POSIX), or volume and file index (Windows), as text. Two names with one
   * id are one file.
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
 * What a log holds.
 */
export interface Wal {
  /**
   * How many frames are in the database already, as the `-shm` says. Nothing where none of this
   * log was given.
   */
  checkpointedFrames: number | null;
  /**
   * Transactions that were committed.
   */
  commits: number;
  /**
   * Commits that are not all in the database yet. Without a `-shm` every commit counts: only it
   * says more.
   */
  commitsNotCheckpointed: number;
  /**
   * Valid frames up to the last commit.
   */
  committedFrames: number;
  /**
   * The header, where it is one.
   */
  header: WalHeader | null;
  /**
   * How many pages the database has after the last commit.
   */
  pagesAfter: number | null;
  /**
   * Bytes.
   */
  size: number;
  /**
   * Frames with other salts: what an earlier round left, already in the database.
   */
  staleFrames: number;
  /**
   * What SQLite makes of it.
   */
  state: WalState;
  /**
   * Frames of this round that cannot be trusted: the first whose checksum is wrong, those
   * behind it, and a last one that is cut short.
   */
  tornFrames: number;
  /**
   * Valid frames behind the last commit: a transaction that was not finished, and never
   * happened.
   */
  uncommittedFrames: number;
  /**
   * Frames whose salts and checksums are right, up to the first that is not: SQLite reads these
   * as far as the last commit.
   */
  validFrames: number;
  /**
   * What is wrong with the header.
   */
  why: string | null;
}
/**
 * The header of a log.
 */
export interface WalHeader {
  /**
   * Whether checksums take words as big-endian, as a big-endian machine writes them.
   */
  bigEndian: boolean;
  /**
   * How often the log was begun anew.
   */
  checkpointSequence: number;
  /**
   * Bytes in a page.
   */
  pageSize: number;
  /**
   * The two salts, in hex. Frames with others are of an earlier round.
   */
  salts: string;
}
/**
 * The answer.
 */
export interface CrashMatrix {
  /**
   * Those from which the next start ends badly.
   */
  bad: number;
  /**
   * Those in which, before any start recovers, canonical is not a whole v1 or v2, or v1 cannot
   * be reached.
   */
  broken: number;
  /**
   * A row for each step, in it a cell for each of the question's models.
   */
  cells: Cell[][];
  /**
   * Flips alone, not flushed in between, counted as the design did by hand.
   */
  flips: FlipCount[];
  /**
   * The question.
   */
  question: Question;
  /**
   * Distinct crash states, over all cells.
   */
  states: number;
  /**
   * The steps, in order: one row each.
   */
  steps: CrashStep[];
}
/**
 * One step, and one way to stop in it.
 */
export interface Cell {
  /**
   * Those from which the next start ends badly.
   */
  bad: number;
  /**
   * Those that break the promise before any start recovers.
   */
  broken: number;
  /**
   * Each of them, to be told by its line: the first two hundred.
   */
  crashes: Crash[];
  /**
   * Distinct states that a crash there may leave, and no crash before did.
   */
  states: number;
}
/**
 * One crash state.
 */
export interface Crash {
  /**
   * What is wrong once the next start has ended.
   */
  bad: Broken | null;
  /**
   * What is wrong before it.
   */
  broken: Broken | null;
  /**
   * The line that tells its story again, with the start that follows.
   */
  replay: string;
}
/**
 * An invariant that does not hold.
 */
export interface Broken {
  /**
   * `I1` to `I10`.
   */
  rule: string;
  /**
   * What was found.
   */
  what: string;
}
/**
 * A flip that stands for its kind.
 */
export interface FlipCount {
  /**
   * In words.
   */
  name: string;
  /**
   * States that a power loss leaves where changes arrive in order.
   */
  ordered: number;
  /**
   * Those that are bad.
   */
  orderedBad: number;
  /**
   * States where any subset may arrive.
   */
  unordered: number;
  /**
   * Those that are bad.
   */
  unorderedBad: number;
}
/**
 * Which plan, and how the machine may stop.
 */
export interface Question {
  /**
   * Who builds v2.
   */
  by: BuildBy;
  /**
   * What v2 starts as.
   */
  from: BuildFrom;
  /**
   * How the machine may stop: `M0` to `M3`, or on Windows `Windows`. One column each.
   */
  models: Model[];
  /**
   * Whose rules apply.
   */
  platform: Platform;
  /**
   * How v2 becomes canonical. `two-rename` is what the daemon in the field does, to compare; by
   * it only SQL builds, from nothing.
   */
  strategy: Strategy;
}
/**
 * A step of the plan that is crashed in.
 */
export interface CrashStep {
  /**
   * The file that it is about.
   */
  file: string | null;
  /**
   * Its index in the plan's `steps`. Nothing for what the daemon in the field does.
   */
  index: number | null;
  /**
   * The op's word.
   */
  op: string;
  /**
   * Why it is done.
   */
  why: string;
}
/**
 * The answer.
 */
export interface Diagnosis {
  /**
   * What the person should do.
   */
  action: string;
  /**
   * The backups, newest first.
   */
  backups: Backup[];
  /**
   * What proves it, or what is missing for a proof. One or two sentences.
   */
  because: string;
  /**
   * The error, explained, where there is one.
   */
  explanation: Explanation | null;
  /**
   * What else was seen, one sentence each.
   */
  facts: string[];
  /**
   * What is wrong with the plan.
   */
  findings: Finding[];
  /**
   * The header of the database.
   */
  header: DatabaseHeader | null;
  /**
   * What it was taken for.
   */
  kind: Kind;
  /**
   * What the next start will do.
   */
  next: string;
  /**
   * The plan that was given, or that the next start would perform.
   */
  plan: Plan | null;
  /**
   * An answer to the customer, ready to send.
   */
  reply: string;
  /**
   * Whether the data is safe; of a plan, whether performing it is.
   */
  safety: Safety;
  /**
   * Where v1 is.
   */
  v1: Place;
  /**
   * Where v2 is.
   */
  v2: Place;
  /**
   * What its log holds.
   */
  wal: Wal | null;
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
 * One thing that is wrong with a plan. A plan with a finding is not performed.
 */
export interface Finding {
  /**
   * What to do about it.
   */
  hint: string;
  /**
   * What it is about.
   */
  kind: FindingKind;
  /**
   * What is wrong, in one sentence.
   */
  message: string;
  /**
   * The index of the step in `steps`, or in `undo` where `undo` is set; nothing for the plan as
   * a whole.
   */
  step: number | null;
  /**
   * Whether the step is one of `undo`.
   */
  undo: boolean;
  /**
   * Why another step belongs there: the reason of the right plan.
   */
  why: string | null;
}
/**
 * Where one of the two is.
 */
export interface Place {
  /**
   * The file that holds it, as far as is known.
   */
  file: string | null;
  /**
   * In one sentence.
   */
  says: string;
}
/**
 * What was dropped or pasted: a text, or files.
 */
export interface Dropped {
  /**
   * The files of a folder, or some of them.
   */
  files: DroppedFile[];
  /**
   * Where they are from, where that is known.
   */
  platform: Platform | null;
  /**
   * A bundle, plan, journal, receipt, or any text with an error in it.
   */
  text: string | null;
  /**
   * Whether the files are all that lies in the folder. Where some may be missing, nothing is
   * proven.
   */
  wholeFolder: boolean;
}
/**
 * One file, without its content.
 */
export interface DroppedFile {
  /**
   * The beginning of a file that is or may be a database, in hex: 100 bytes at least, better
   * the first page, of which 65536 are the most.
   */
  head: string | null;
  /**
   * Its bare name.
   */
  name: string;
  /**
   * Bytes.
   */
  size: number;
  /**
   * Its text, of a file that ends in `.json` and is small.
   */
  text: string | null;
  /**
   * What `readWal` gave, of a log.
   */
  wal: Wal | null;
}
/**
 * What each file holds after each step.
 */
export interface Lanes {
  /**
   * What each holds before the first step.
   */
  before: Held[];
  /**
   * The steps that are performed where nothing fails: an undo ends with its `undo`. The first
   * 300.
   */
  columns: Column[];
  /**
   * The files, canonical first.
   */
  files: Lane[];
}
/**
 * What a file holds at one time.
 */
export interface Held {
  /**
   * What a power loss leaves at least. Nothing: it may not be there.
   */
  durable: Holds | null;
  /**
   * What a reader finds. Nothing: it is not there.
   */
  now: Holds | null;
}
/**
 * One step.
 */
export interface Column {
  /**
   * What each file of the lanes holds after it.
   */
  held: Held[];
  /**
   * Its index, in the plan's `steps` or `undo`.
   */
  index: number;
  /**
   * Whether its guard keeps it from being performed.
   */
  skipped: boolean;
  /**
   * Whether in `undo`.
   */
  undo: boolean;
}
/**
 * One file.
 */
export interface Lane {
  /**
   * Its name; of a companion's file behind the companion's.
   */
  name: string;
  /**
   * What it is for.
   */
  role: LaneRole;
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
 * An op that did not succeed, as the runner reports it.
 */
export interface OpError {
  /**
   * Why.
   */
  cause: OpErrorKind;
  /**
   * The file, where one is to blame.
   */
  file: PlanPath | null;
  /**
   * What the system, SQLite or the application said.
   */
  message: string;
}
/**
 * How far an exploration is.
 */
export interface Progress {
  /**
   * Crash states from which a start was run.
   */
  done: number;
  /**
   * Crash states in all.
   */
  total: number;
}
/**
 * What is kept of a journal beside the backup: all but the host's state.
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
   * v1, which the backup is. Nothing for an upgrade that the legacy daemon began.
   */
  v1: V1 | null;
  /**
   * v2 as it was installed. Nothing for an upgrade that the legacy daemon began.
   */
  v2: V2 | null;
  /**
   * Always 1.
   */
  version: number;
  /**
   * The problems that did not stop it.
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
  by: BuildBy;
  /**
   * Where v2 starts from.
   */
  from: BuildFrom;
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
 * Which backups may be removed: those that every given condition holds of. Without a condition none
 * is.
 */
export interface Rule {
  /**
   * This many of the newest whole backups stay. Nothing counts as one: the newest is never removed.
   */
  keep: number | null;
  /**
   * Only backups are removed whose upgrade began longer ago than this, milliseconds.
   */
  olderThanMs: number | null;
}
