import type { Code, DataLocation, Failure, Holder, OsCode, Phase } from "./generated.js";

/**
 * Every failure of this package; `CutoverError` of the package `cutover` has the same members. Its
 * message says what failed, on which file, why, where the data is and what to do. The message ends
 * with a stable short code that `explainError` accepts.
 */
export class CutoverError extends Error {
  override readonly name = "CutoverError";
  /** The kind of failure. */
  readonly code: Code;
  /** The error of the operating system, if it reported one. */
  readonly os?: OsCode;
  /** The op that failed, if an op failed. */
  readonly op?: string;
  /** The file that the op failed on. */
  readonly path?: string;
  /** The phase of the journal at the failure; `null` before there was a journal. */
  readonly phase: Phase | null;
  /** How often the runner tried the op. */
  readonly attempts: number;
  /** How long the run had waited, milliseconds. */
  readonly waitedMs: number;
  /** The processes that hold the database open, this process first. */
  readonly holders: readonly Holder[];
  /** Where the data is now. */
  readonly data: DataLocation;
  /** What to do. */
  readonly hint: string;
  /** What failed and why, without the rest of the message. */
  readonly reason: string;

  constructor(failure: Failure) {
    super(failure.message);
    this.code = failure.code;
    if (failure.os) this.os = failure.os;
    if (failure.op !== null) this.op = failure.op;
    if (failure.path !== null) this.path = failure.path;
    this.phase = failure.phase;
    this.attempts = failure.attempts;
    this.waitedMs = failure.waitedMs;
    this.holders = failure.holders;
    this.data = failure.data;
    this.hint = failure.hint;
    this.reason = failure.reason;
  }
}

/** The result in an answer of the pure functions. Throws when the answer refuses the call. */
export function opened<T>(answer: string): T {
  const { ok, invalid, failure } = JSON.parse(answer) as {
    ok: T;
    invalid?: string;
    failure?: Failure;
  };
  if (failure) throw new CutoverError(failure);
  if (invalid !== undefined) throw new TypeError(`cutover: ${invalid}`);
  return ok;
}
