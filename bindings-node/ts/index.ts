/**
 * Upgrades the local SQLite database of an application in place. No crash, power loss, locked file
 * or full disk loses a row.
 *
 * Start with {@link migrate}.
 *
 * @module
 */
export {
  adoptBackup,
  listBackups,
  planRestore,
  pruneBackups,
  restore,
  type AdoptResult,
  type BackupOptions,
  type PruneResult,
  type PruneRule,
  type RestoreResult,
} from "./backups.js";
export { CutoverError } from "./error.js";
export { doctor, type DoctorOptions } from "./doctor.js";
export {
  inspect,
  type InspectedCompanion,
  type InspectOptions,
  type Inspection,
} from "./inspect.js";
export { lock, type OwnerLock } from "./lock.js";
export {
  migrate,
  plan,
  recover,
  runPlan,
  type MigrateResult,
  type RecoverResult,
} from "./migrate.js";
export { explainError, validatePlan } from "./pure/plan.js";
export type { Built, Companion, Detect, Job, Json, Make, MigrateOptions } from "./options.js";
export type { Reader, SqlValue } from "./reader.js";
export type {
  Backup,
  Bundle,
  Code,
  DataLocation,
  Event,
  Explanation,
  Failure,
  Finding,
  FindingKind,
  Header,
  Holder,
  Journal,
  JournalMode,
  Left,
  Op,
  OpName,
  OsCode,
  Phase,
  Plan,
  PlanKind,
  Receipt,
  Recovery,
  Step,
  Strategy,
  Verdict,
  Warning,
  DataState,
} from "./generated.js";
