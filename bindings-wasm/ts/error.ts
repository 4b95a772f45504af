import type { Code, DataLocation, Failure, Holder, OsCode, Phase } from "./generated.js";

/**
 * Every failure of this package, as `CutoverError` of the package `cutover` has it. Its message says in one sentence what failed, on which file,
 * why, where the data is and what to do, and ends with a stable short code that `explainError` accepts.
 */
export class CutoverError extends Error {
  override readonly name = "CutoverError";
  /** What kind of failure it is. */
  readonly code: Code;
  /** The operating system's error, where there is one. */
  readonly os?: OsCode;
  /** The op that failed, where one did. */
  readonly op?: string;
  /** The file that it failed on. */
  readonly path?: string;
  /** The phase of the journal then; `null` before there was one. */
  readonly phase: Phase | null;
  /** How often the op was tried. */
  readonly attempts: number;
  /** How long the run had waited by then, milliseconds. */
  readonly waitedMs: number;
  /** Who is in the way. */
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

/** What an answer of the pure functions holds; thrown where it refuses. */
export function opened<T>(answer: string): T {
  const { ok, invalid, failure } = JSON.parse(answer) as { ok: T; invalid?: string; failure?: Failure };
  if (failure) throw new CutoverError(failure);
  if (invalid !== undefined) throw new TypeError(`cutover: ${invalid}`);
  return ok;
}
