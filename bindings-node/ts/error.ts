import { inspect } from "node:util";
import type { Code, DataLocation, Explanation, Failure, Holder, OsCode, Phase } from "./generated.js";
import { native } from "./native.js";

/**
 * Every failure of this package. Its message says in one sentence what failed, on which file, why, where the data is and what to do, and ends
 * with a stable short code that {@link explainError} accepts.
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
  /** Who is in the way, this process first. */
  readonly holders: readonly Holder[];
  /** Where the data is now. */
  readonly data: DataLocation;
  /** What to do. */
  readonly hint: string;
  /** What failed and why, without the rest of the message. */
  readonly reason: string;

  /** `options.cause` is what a callback of the application threw, or the reason of the signal. */
  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
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

/**
 * Explains a failure from its short code, `cutover:<code>…`, wherever in a text it stands: a {@link CutoverError}, its message, a line of a log.
 * `null` when there is none.
 */
export function explainError(error: unknown): Explanation | null {
  return opened(native.explainError(describe(error)));
}

/** What an answer of the pure functions holds; thrown where it refuses. */
export function opened<T>(answer: string): T {
  const { ok, invalid, failure } = JSON.parse(answer) as { ok: T; invalid?: string; failure?: Failure };
  if (failure) throw new CutoverError(failure);
  if (invalid !== undefined) throw new TypeError(`cutover: ${invalid}`);
  return ok;
}

/** Whatever was thrown, in words. */
export function describe(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return thrown.message || thrown.name;
    return (typeof thrown === "string" && thrown) || inspect(thrown, { depth: 1, breakLength: Infinity });
  } catch {
    return "something that cannot be described";
  }
}
