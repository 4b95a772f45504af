// The exit codes, and what a failure ends with.
import { CutoverError, describe } from "../error.js";
import type { Code, Failure } from "../generated.js";

/** The exit codes. From 64 on they are those of `sysexits.h`. */
export const exitCodes = {
  /** The verb has done what was asked; `status`: the data is safe. */
  ok: 0,
  /** The answer is bad: the data is not safe, a plan has findings, a crash would end badly. */
  bad: 1,
  /** `status` cannot tell whether the data is safe. */
  cannotTell: 2,
  /** The command line is wrong. Nothing was touched. */
  usage: 64,
  /** The files are not what the verb needs: damaged, newer, not whole, no database. */
  files: 65,
  /** The folder has no database, or more than one. */
  noDatabase: 66,
  /** The verb needs the application's options, or this system has no addon. */
  unavailable: 69,
  /** The application's own code failed, or cutover has a fault. */
  fault: 70,
  /** The system refused to read or write a file or the output, for example on a full disk. */
  io: 74,
  /** Another program uses the database. Close it and try again. */
  inUse: 75,
  /** Ctrl-C, or SIGTERM, stopped the verb. */
  stopped: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What each kind of failure ends with. */
export const BY_CODE: Record<Code, ExitCode> = {
  OWNED: exitCodes.inUse,
  HELD: exitCodes.inUse,
  NEWER: exitCodes.files,
  NOT_A_DATABASE: exitCodes.files,
  V1_CORRUPT: exitCodes.files,
  NO_SPACE: exitCodes.io,
  IO: exitCodes.io,
  JOURNAL: exitCodes.files,
  HOST: exitCodes.fault,
  VERIFY: exitCodes.files,
  STILL_OLD: exitCodes.files,
  ABORTED: exitCodes.stopped,
};

/** What the command line itself refuses. */
export class Refusal extends Error {
  constructor(
    readonly exit: ExitCode,
    message: string,
  ) {
    super(message);
  }
}

/** A failure as `--json` prints it. `code` is null where the failure has no short code. */
export type Told = Pick<Failure, "message"> & { code: Code | null; exit: ExitCode };

/** What a thrown value means to the caller. */
export function told(thrown: unknown): Told {
  const message = describe(thrown);
  if (thrown instanceof CutoverError) {
    return { code: thrown.code, message, exit: BY_CODE[thrown.code] };
  }
  return { code: null, message, exit: exitOf(thrown, message) };
}

function exitOf(thrown: unknown, message: string): ExitCode {
  if (thrown instanceof Refusal) return thrown.exit;
  const { code, syscall } = (thrown ?? {}) as NodeJS.ErrnoException;
  if (code === "CUTOVER_NO_ADDON") return exitCodes.unavailable;
  if (syscall !== undefined) return exitCodes.io;
  // The check of an argument; it touched nothing.
  if (thrown instanceof TypeError && message.startsWith("cutover: ")) return exitCodes.usage;
  return exitCodes.fault;
}
