// Generated from the Rust types by `npm run generate`. Do not edit.

/**
 * A bare file name: one path component, in any directory.
 */
export type FileName = string;
/**
 * The name of one kind of upgrade, for example `v1-v2`. The names of the backup and of the journal
 * contain it.
 */
export type Label = string;
/**
 * Eight lower-case hex digits. They tell the files of one attempt from those of another.
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
 * The result of SQLite's `quick_check` of the database, in its place or in a private copy.
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
       * Why the doctor did not check.
       */
      why: string;
    };
/**
 * One event of a run. A run reports every wait and every retry as it happens.
 */
export type Event =
  | {
      /**
       * 1 for the first try.
       */
      attempt: number;
      /**
       * What the plan is for.
       */
      kind: PlanKind;
      /**
       * How many steps the plan has.
       */
      steps: number;
      type: "plan";
    }
  | {
      /**
       * The file that the op is about.
       */
      file: string | null;
      /**
       * The index of the step, from 0, in `steps` or in `undo`.
       */
      index: number;
      /**
       * The op's name.
       */
      op: OpName;
      /**
       * How many steps that list has.
       */
      total: number;
      type: "step";
      /**
       * Whether the step is one of `undo`.
       */
      undo: boolean;
      /**
       * Why the run does this step.
       */
      why: string;
    }
  | {
      /**
       * How long they may take, in milliseconds.
       */
      budgetMs: number;
      /**
       * How long this wait takes, in milliseconds.
       */
      delayMs: number;
      /**
       * The file that the op is about.
       */
      file: string | null;
      /**
       * The processes that are in the way, as far as the platform names them.
       */
      holders: Holder[];
      /**
       * The op that waits.
       */
      op: OpName;
      /**
       * What is in the way.
       */
      reason: string;
      type: "wait";
      /**
       * How long all waits of this run take, with this one, in milliseconds.
       */
      waitedMs: number;
    }
  | {
      /**
       * The phase.
       */
      phase: Phase;
      type: "phase";
    }
  | {
      /**
       * How many bytes are done. It may stay as it is while SQLite sorts or flushes.
       */
      doneBytes: number;
      /**
       * The op's name.
       */
      op: OpName;
      /**
       * How many there are; nothing where that cannot be known, as of a build by SQL.
       */
      totalBytes: number | null;
      type: "progress";
    }
  | {
      /**
       * How much is done, in the application's own unit.
       */
      done: number;
      /**
       * How much there is to do, where the application knows it.
       */
      total: number | null;
      type: "build-progress";
    }
  | {
      type: "warning";
      /**
       * The problem.
       */
      warning: Warning;
    }
  | {
      /**
       * The failure that causes it.
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
export type PlanKind =
  "migrate" | "finish" | "undo" | "clean" | "set-aside" | "restore" | "prune" | "leave-zombie" | "adopt";
/**
 * What an event is about: the name of an op, or `lock`, for the locks beside the companions.
 */
export type OpName =
  | "write-journal"
  | "write-receipt"
  | "sync-file"
  | "sync-dir"
  | "link"
  | "rename"
  | "rename-new"
  | "remove"
  | "remove-link"
  | "copy"
  | "look"
  | "release"
  | "settle"
  | "restore-mode"
  | "build-sql"
  | "build-host"
  | "restage"
  | "isolate"
  | "check"
  | "detect"
  | "verify-host"
  | "lock-v1"
  | "check-pages"
  | "check-v1"
  | "unlock-v1"
  | "page-copy"
  | "absent"
  | "look-companion"
  | "undo-host"
  | "cleanup-host"
  | "lock";
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
 * The kind of a failure.
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
 * Where the user's data is.
 */
export type DataState = "v1" | "v2" | "finish-at-next-start" | "untouched" | "unknown";
/**
 * The platform whose error codes and sharing rules apply.
 */
export type Platform = "linux" | "macos" | "windows";
/**
 * What canonical is, as far as the files tell.
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
 * One thing that a runner does.
 */
export type Op =
  | {
      /**
       * A temporary name of the journal.
       */
      file: FileName;
      op: "write-journal";
      /**
       * The phase that the journal declares.
       */
      phase: Phase;
    }
  | {
      /**
       * The receipt's name.
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
       * The companion whose directory it is; nothing for the database's directory.
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
       * The name of the link.
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
       * The hard link to remove.
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
       * The new file, which the runner creates exclusively.
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
       * The journal mode that the file gets.
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
       * The journal mode that it had.
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
       * The file that is attached as `v1`.
       */
      v1: FileName;
    }
  | {
      /**
       * The database.
       */
      file: FileName;
      op: "check-pages";
    }
  | {
      op: "build-host";
      /**
       * The copy of v1 that the application may open and change. The runner makes it when the
       * application first asks for it. It is staging itself where v2 starts as a copy of v1.
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
       * The journal mode of the new file.
       */
      mode: JournalMode;
      op: "restage";
      /**
       * The new file, which the runner creates exclusively.
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
       * The new file, which the runner creates exclusively.
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
       * Whether a difference is an error (before the flip) or a fact (after it).
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
 * A file that an op works on: `<name>` in the database's directory, or `<companion>/<name>` in the
 * directory of a companion.
 */
export type PlanPath = string;
/**
 * The condition of a step. A run always performs a step that has none.
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
 * Why no file can replace a companion, however long a runner waits.
 */
export type ReplaceBlocker = "mount-point" | "immutable" | "read-only" | "sticky";
/**
 * What the application's `detect` says of a database.
 */
export type Verdict = "old" | "current" | "newer";
/**
 * What a log is to SQLite.
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
 * What the input was taken for.
 */
export type Kind = "bundle" | "plan" | "journal" | "receipt" | "line" | "file" | "folder" | "unknown";
/**
 * Whether the data is safe; of a plan, whether performing it is.
 */
export type Safety = "safe" | "not-safe" | "cannot-tell";
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
 * Whether a claim holds.
 */
export type Answer = "yes" | "no" | "cannot-tell";
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
 * Why an op failed.
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
       * The processes, this process first.
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
      /**
       * Whether the folder's volume is full. Else SQLite finds no folder that it can write to.
       */
      full: boolean;
      kind: "temporary-folder";
    }
  | {
      kind: "irregular";
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
  OpName: OpName;
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
 * A backup, with what its receipt says.
 */
export interface Backup {
  /**
   * Backups of companions, in their own directories.
   */
  companions: {
    [k: string]: FileName;
  };
  /**
   * The upgrade that made it.
   */
  label: Label;
  /**
   * Its bare name, in the database's directory.
   */
  name: FileName;
  /**
   * The nonce of that upgrade.
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
   * When that upgrade began, in Unix milliseconds.
   */
  startedMs: number;
  /**
   * How v2 became canonical. With `page-copy` the backup is a copy that SQLite made, else it is
   * v1's own file. Nothing without a receipt.
   */
  strategy: Strategy | null;
  /**
   * v1, as it was settled. Nothing without a receipt, and for an upgrade that the legacy daemon
   * began.
   */
  v1: V1 | null;
  /**
   * The warnings of that upgrade.
   */
  warnings: Warning[];
  /**
   * Whether it can be restored, as far as names, sizes and receipts tell.
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
   * A stable word, where there is one. `RIGHTS_LOST`: a new file lacks an ACL, an extended
   * attribute or the rights of a group that the file before it has, because the system refused
   * it; the message names the file and what it lacks.
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
 * What the doctor found.
 */
export interface Bundle {
  /**
   * Of the companions that the receipts name, and their backups, the files that are in the
   * database's directory.
   */
  beside: FileName[];
  /**
   * Whether SQLite finds the pages of canonical sound.
   */
  check: Check;
  /**
   * How much canonical holds. Nothing where the pages are not sound, or were not checked.
   */
  content: Content | null;
  /**
   * The events that the application kept, oldest first.
   */
  events: Event[];
  /**
   * The header of canonical. Nothing where canonical was not opened, or is not a database.
   */
  header: DatabaseHeader | null;
  /**
   * The last failure that the application kept.
   */
  lastError: Failure | null;
  /**
   * Which program made the bundle, and where.
   */
  made: Made;
  /**
   * What the next start would do, with its plan where it would recover.
   */
  next: NextStart;
  /**
   * The files in the database's directory, with the text of each journal.
   */
  observation: Observation;
  /**
   * The database's path, with the home directory as `~`.
   */
  path: string;
  /**
   * The text of each receipt; nothing where the file could not be read as text.
   */
  receipts: {
    [k: string]: string | null;
  };
  /**
   * What the `-shm` beside canonical says of its log.
   */
  shm: Shm | null;
  /**
   * Always 1.
   */
  version: number;
  /**
   * What the log of canonical holds. Nothing where canonical has no log, or was not opened.
   */
  wal: Wal | null;
}
/**
 * How much a database holds. Its rows are counted, and not told.
 */
export interface Content {
  /**
   * Their rows.
   */
  rows: number;
  /**
   * The tables that SQLite can count, without those of SQLite itself.
   */
  tables: number;
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
   * Whether it is this process.
   */
  thisProcess: boolean;
}
/**
 * The 100 bytes of a database header, and what they say of the file.
 *
 * Layout: <https://www.sqlite.org/fileformat2.html#the_database_header>.
 */
export interface DatabaseHeader {
  /**
   * `PRAGMA application_id`.
   */
  applicationId: number;
  /**
   * All 100 bytes in hex. Together with the size they are the fingerprint of a settled database.
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
   * The first page of the list of free pages; 0 where no page is free.
   */
  firstFreelistPage: number;
  /**
   * The number of free pages.
   */
  freelistPages: number;
  /**
   * Whether auto-vacuum is incremental.
   */
  incrementalVacuum: boolean;
  /**
   * The journal mode that the read version gives.
   */
  journalMode: JournalMode;
  /**
   * The largest root page in a database with auto-vacuum; else 0.
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
   * The masked digest of page 1, where the whole page was given. It identifies v2.
   */
  page1: string | null;
  /**
   * The size of the database in pages. It is right only where `pageCountIsValid`.
   */
  pageCount: number;
  /**
   * Whether `pageCount` is valid: it is not 0, and `versionValidFor` is the change counter.
   */
  pageCountIsValid: boolean;
  /**
   * Bytes in a page: a power of two, 512 to 65536.
   */
  pageSize: number;
  /**
   * What is wrong, one sentence each. Empty where header and size are those of a sound database.
   * The other pages were not read.
   */
  problems: string[];
  /**
   * The file format to read: 1 rollback journal, 2 WAL.
   */
  readVersion: number;
  /**
   * The bytes at the end of each page that are reserved for an extension.
   */
  reservedBytes: number;
  /**
   * A counter that changes with the schema.
   */
  schemaCookie: number;
  /**
   * 1 to 4; 0 in a database without a table.
   */
  schemaFormat: number;
  /**
   * The size of the file in bytes, where it is known.
   */
  size: number | null;
  /**
   * The version of the SQLite that wrote last, for example 3046001 for 3.46.1.
   */
  sqliteVersion: number;
  /**
   * The encoding of text. Nothing in a database without a table, or where SQLite does not know
   * the number.
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
   * The file format to write: 1 rollback journal, 2 WAL.
   */
  writeVersion: number;
}
/**
 * Everything that cutover knows of a failure: in Rust, in JSON, and as `CutoverError` in
 * JavaScript. `Display` gives the message, one sentence that ends with the short code.
 */
export interface Failure {
  /**
   * How often the run tried the op.
   */
  attempts: number;
  /**
   * The kind of failure.
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
   * The processes that are in the way, this process first.
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
   * The file that the op failed on.
   */
  path: string | null;
  /**
   * The phase of the journal when the op failed.
   */
  phase: Phase | null;
  /**
   * The cause: what failed and why, without the rest of the message.
   */
  reason: string;
  /**
   * How long the run had waited when the op failed, in milliseconds.
   */
  waitedMs: number;
}
/**
 * Where the user's data is, with file names.
 */
export interface DataLocation {
  /**
   * Where the data is, in one word.
   */
  state: DataState;
  /**
   * The file that holds all of v1. In the state `untouched`, the database, which may be v2.
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
   * The number.
   */
  raw: number;
}
/**
 * The program and the machine that made a bundle.
 */
export interface Made {
  /**
   * The processor's architecture, for example `x86_64`.
   */
  arch: string;
  /**
   * The time, in Unix milliseconds.
   */
  atMs: number;
  /**
   * The version of cutover.
   */
  cutover: string;
  /**
   * The platform.
   */
  platform: Platform;
  /**
   * The runtime, for example `node 22.4.0`.
   */
  runtime: string | null;
  /**
   * The version of SQLite in cutover.
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
   * What the start would do, in one word.
   */
  does: Does;
  /**
   * The plan by which the start recovers.
   */
  plan: Plan | null;
  /**
   * The failure with which the start refuses.
   */
  refusal: Failure | null;
  /**
   * What the start would do, in one sentence.
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
   * The index in `steps` of the op that makes v2 canonical; of an adoption, of the one that gives
   * the copy its name. A failure there or before it can be undone.
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
   * The name that the application opens.
   */
  canonical: FileName;
  /**
   * The file that becomes canonical where staging itself cannot.
   */
  install: FileName;
  /**
   * A private copy of v1 for a callback of the application.
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
 * One step of a plan.
 */
export interface Step {
  /**
   * What to do.
   */
  do: Op;
  /**
   * The condition; nothing means always.
   */
  when: Guard | null;
  /**
   * The reason, in one sentence.
   */
  why: string;
}
/**
 * What a runner found in the database's directory.
 */
export interface Observation {
  /**
   * Whether canonical can be given a hard link. True where the runner did not try it.
   */
  canLink: boolean;
  /**
   * The database's bare name, with symbolic links resolved.
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
   * The bytes on the volume that are free for this user.
   */
  freeBytes: number | null;
  /**
   * The processes that have canonical or a sidecar open, this process first.
   */
  holders: Holder[];
  /**
   * Why it cannot be told which other processes have them open; left out where it can.
   */
  holdersUnknown?: string | null;
  /**
   * What is not a regular file, and has a name of cutover's or a companion's: its kind, in a
   * clause. Every start refuses it. Left out where there is none, and where the runner did not
   * look for it.
   */
  irregular?: {
    [k: string]: string;
  };
  /**
   * The text of each journal; nothing where it could not be read as text.
   */
  journals: {
    [k: string]: string | null;
  };
  /**
   * The platform whose error codes and rules apply.
   */
  platform: Platform;
  /**
   * What `detect` says of canonical; nothing where canonical is missing, held or not a database.
   */
  verdict: Verdict | null;
}
/**
 * What a runner found of a companion: a file that changes together with the database.
 */
export interface CompanionFacts {
  /**
   * SHA-256 of its content; nothing where the companion does not exist.
   */
  digest: string | null;
  /**
   * Its bare name, in its own directory.
   */
  file: FileName;
  /**
   * Why no file can replace it; left out where a file can, or where the companion does not
   * exist.
   */
  irreplaceable?: ReplaceBlocker | null;
  /**
   * Whether the backup of [`legacy_backup`](crate::plan::legacy::legacy_backup) holds only the
   * first bytes of the companion, or none: it may be a copy that was cut short. Left out where
   * not.
   */
  legacyBackupIsBeginning?: boolean;
  /**
   * Its absolute path, for messages and to compare with a journal's. Never used as a target.
   */
  path: string;
  /**
   * The names in its directory that begin with its own name: backups, staged content.
   */
  present: FileName[];
  /**
   * Its path relative to the database's directory; absolute where it is on another drive.
   */
  relative: string;
  /**
   * Which of them are hard links of the companion itself, as an interrupted rename or link may
   * leave them.
   */
  same: FileName[];
}
/**
 * What a runner can tell of one file without changing it.
 */
export interface FileFacts {
  /**
   * Device and inode (POSIX), or volume and file index (Windows), as text. Two names with one id
   * are hard links of one file.
   */
  fileId: string;
  /**
   * The header, where the file is a database that could be read.
   */
  header: Header | null;
  /**
   * The masked digest of page 1, where the file is a database that could be read.
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
   * All 100 bytes in hex. Together with the size they are the fingerprint of a settled database.
   */
  bytes: string;
  /**
   * Counts the transactions that changed the file in rollback mode.
   */
  changeCounter: number;
  /**
   * The journal mode that the read and write version give.
   */
  journalMode: JournalMode;
  /**
   * The size of the database in pages, as the header says it.
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
 * What the `-shm` file says of the log that it belongs to. It outlives a log that is removed by
 * hand.
 */
export interface Shm {
  /**
   * How many of them are in the database already.
   */
  checkpointedFrames: number;
  /**
   * The valid frames of the log.
   */
  frames: number;
  /**
   * The two salts of the log, in hex.
   */
  salts: string;
}
/**
 * What a log holds.
 */
export interface Wal {
  /**
   * The number of frames that are in the database already, as the `-shm` says. Nothing where no
   * `-shm` of this log was given.
   */
  checkpointedFrames: number | null;
  /**
   * The committed transactions.
   */
  commits: number;
  /**
   * The commits that are not wholly in the database yet. Without a `-shm` every commit counts.
   */
  commitsNotCheckpointed: number;
  /**
   * The valid frames up to the last commit.
   */
  committedFrames: number;
  /**
   * The header, where it is valid.
   */
  header: WalHeader | null;
  /**
   * The 100 bytes of the database header after the last commit, in hex. Nothing where no commit
   * changed page 1.
   */
  headerAfter: string | null;
  /**
   * The number of pages of the database after the last commit.
   */
  pagesAfter: number | null;
  /**
   * Bytes.
   */
  size: number;
  /**
   * The frames of an earlier round, which have other salts. They are in the database already.
   */
  staleFrames: number;
  /**
   * What the log is to SQLite.
   */
  state: WalState;
  /**
   * The frames of this round that are not valid: the first with a wrong checksum, all frames
   * behind it, and a last frame that is cut short.
   */
  tornFrames: number;
  /**
   * The valid frames behind the last commit. They are of a transaction that was not committed.
   */
  uncommittedFrames: number;
  /**
   * The frames up to the first with a wrong salt or checksum. SQLite reads those of them that a
   * commit follows.
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
   * Whether the checksums are of big-endian words.
   */
  bigEndian: boolean;
  /**
   * How often SQLite began the log anew.
   */
  checkpointSequence: number;
  /**
   * Bytes in a page.
   */
  pageSize: number;
  /**
   * The two salts, in hex. A frame with other salts is of an earlier round.
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
   * Flips alone, without a flush between their steps, as the design counted them by hand.
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
   * Those that break an invariant before any start recovers.
   */
  broken: number;
  /**
   * The first two hundred of them. The line of each replays it.
   */
  crashes: Crash[];
  /**
   * Distinct states that a crash in this step may leave, and that no earlier step left.
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
   * The line that replays it, with the start that follows.
   */
  replay: string;
}
/**
 * A broken invariant.
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
   * The operating system whose rules apply.
   */
  platform: Platform;
  /**
   * How v2 becomes canonical. `two-rename` is the legacy daemon, for comparison: it builds by
   * SQL, from nothing.
   */
  strategy: Strategy;
}
/**
 * A step of the plan in which the machine stops.
 */
export interface CrashStep {
  /**
   * The file that it is about.
   */
  file: string | null;
  /**
   * Its index in the plan's `steps`. Nothing for the legacy daemon.
   */
  index: number | null;
  /**
   * The op's name.
   */
  op: string;
  /**
   * Why it is done.
   */
  why: string;
}
/**
 * The answer to a support person.
 */
export interface Diagnosis {
  /**
   * What the support person should do.
   */
  action: string;
  /**
   * The backups, newest first.
   */
  backups: Backup[];
  /**
   * What proves the answer, or what is missing for a proof. One or two sentences.
   */
  because: string;
  /**
   * The databases, where there are several: ask which is meant.
   */
  databases: string[];
  /**
   * The pieces of the input, where there are several. The worst of them decides.
   */
  evidence: Evidence[];
  /**
   * The explanation of the error, where there is one.
   */
  explanation: Explanation | null;
  /**
   * Further facts, one sentence each.
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
   * Whether the file is intact: only pages that were read prove it.
   */
  intact: Claim;
  /**
   * What the input was taken for.
   */
  kind: Kind;
  /**
   * Which program made the newest bundle, when and where. Nothing where there is none.
   */
  made: Made | null;
  /**
   * What the next start will do.
   */
  next: string;
  /**
   * The path of the database, where the input tells it.
   */
  path: string | null;
  /**
   * The plan that was given, or that the next start would perform.
   */
  plan: Plan | null;
  /**
   * An answer to the customer, ready to send.
   */
  reply: string;
  /**
   * Whether the user's rows are there.
   */
  rows: Claim;
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
   * What the database's log holds.
   */
  wal: Wal | null;
}
/**
 * One piece of the input, and what it says.
 */
export interface Evidence {
  /**
   * When it was made, in Unix milliseconds. Nothing where that is now, or unknown.
   */
  atMs: number | null;
  /**
   * What it was taken for.
   */
  kind: Kind;
  /**
   * Which piece it is.
   */
  name: string;
  /**
   * What it says of the data.
   */
  safety: Safety;
  /**
   * Why.
   */
  says: string;
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
   * Where the data is.
   */
  data: string;
  /**
   * What to do.
   */
  hint: string;
  /**
   * What the failure means.
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
 * One fault of a plan. A runner does not perform a plan with a finding.
 */
export interface Finding {
  /**
   * What to do.
   */
  hint: string;
  /**
   * The kind of fault.
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
   * The reason that the right plan gives for the step that belongs there.
   */
  why: string | null;
}
/**
 * A claim about a database.
 */
export interface Claim {
  /**
   * Whether it holds.
   */
  answer: Answer;
  /**
   * What proves or contradicts it, or what is missing for a proof.
   */
  says: string;
}
/**
 * Where v1 or v2 is.
 */
export interface Place {
  /**
   * The file that holds it, where that is known.
   */
  file: string | null;
  /**
   * Where it is, in one sentence.
   */
  says: string;
}
/**
 * What a person dropped or pasted: a text, files, or both.
 */
export interface Dropped {
  /**
   * The database that is meant, by its name in `files`, where there are several. Without it all
   * are judged, and the worst answer is given.
   */
  database: string | null;
  /**
   * The files of a folder, or some of them.
   */
  files: DroppedFile[];
  /**
   * The platform that the files are from, where it is known.
   */
  platform: Platform | null;
  /**
   * A bundle, plan, journal, receipt, a mail with such a thing in it, or any text with an error.
   */
  text: string | null;
  /**
   * Whether the files are all files of the folder. Where files may be missing, the rest proves
   * nothing.
   */
  wholeFolder: boolean;
}
/**
 * One file, without its content.
 */
export interface DroppedFile {
  /**
   * What SQLite's `quick_check` said of this database just now, with its log and rollback
   * journal. Nothing where the pages were not read.
   */
  check: Check | null;
  /**
   * How much this database holds, where it was counted.
   */
  content: Content | null;
  /**
   * The beginning of a file that is or may be a database, in hex. It must have 100 bytes at
   * least, and should be the whole first page, of at most 65536 bytes. Of a `-shm` the first 136
   * bytes.
   */
  head: string | null;
  /**
   * Its name, behind its path in the folder where it is in one below: `profile/data.db`.
   */
  name: string;
  /**
   * Bytes.
   */
  size: number;
  /**
   * The file's text, where it is a text: a journal, a receipt, a bundle, a log, a mail.
   */
  text: string | null;
  /**
   * The answer of `readWal` for this file, where it is a log.
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
   * The steps that are performed if nothing fails; a plan that undoes ends with its `undo`. At
   * most the first 300.
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
   * What at least a power loss leaves. Nothing: the file may not exist.
   */
  durable: Holds | null;
  /**
   * What a reader finds. Nothing: the file does not exist.
   */
  now: Holds | null;
}
/**
 * One step.
 */
export interface Column {
  /**
   * What each file holds after it.
   */
  held: Held[];
  /**
   * Its index in the plan's `steps` or `undo`.
   */
  index: number;
  /**
   * Whether its guard skips it.
   */
  skipped: boolean;
  /**
   * Whether it is in `undo`.
   */
  undo: boolean;
}
/**
 * One file.
 */
export interface Lane {
  /**
   * Its name. A companion's file has the companion's name before it.
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
 * The error of an op, as the runner reports it.
 */
export interface OpError {
  /**
   * Why the op failed.
   */
  cause: OpErrorKind;
  /**
   * The file that the op failed on, where there is one.
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
   * Whether SQLite checks v1 before v2 is installed.
   */
  checkV1: boolean;
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
   * When the upgrade begins, in Unix milliseconds:
   * [`begins_ms`](crate::backup::begins_ms) makes it later than every whole backup.
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
   * This many of the newest whole backups stay. Nothing counts as one: the newest is never
   * removed. Backups whose time lies ahead, because a clock was wrong, are counted apart: they
   * push out no other.
   */
  keep: number | null;
  /**
   * Only backups are removed whose upgrade began longer ago than this, milliseconds.
   */
  olderThanMs: number | null;
}
