import { callback, checkFields, filePath, whole, type Check } from "./check.js";
import { CutoverError } from "./error.js";
import type { Bundle, Event, Failure } from "./generated.js";
import { paths, signal } from "./check-options.js";
import { Callbacks } from "./application.js";
import { deliver } from "./session.js";

/** The options of {@link doctor}. */
export interface DoctorOptions {
  /**
   * As for `migrate`: name to path. The bundle then lists the files beside each companion and what
   * the next start would do with them. Of the content it has a SHA-256 only.
   */
  companions?: Record<string, string>;
  /** The failure of the last start, if the application kept it. */
  lastError?: CutoverError;
  /** The events of the last start that the application kept, oldest first. */
  events?: readonly Event[];
  /**
   * Whether the bundle includes the application's saved state, its report and its messages. They
   * may be personal. Default: false.
   */
  applicationData?: boolean;
  /**
   * The largest database whose pages SQLite checks, bytes. SQLite checks a private copy when a log
   * lies beside the database. 0: SQLite checks no database. Default: 1 GiB.
   */
  checkUpTo?: number;
  /** Called with `progress`, at most ten times a second, while pages are copied or checked. */
  onEvent?: (event: Event) => void | Promise<void>;
  /** Stops the check. The call then fails with `ABORTED`. */
  signal?: AbortSignal;
}

const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const list: Check = (value) => (Array.isArray(value) ? undefined : "an array");
const error: Check = (value) => (value instanceof CutoverError ? undefined : "a CutoverError");

/**
 * Makes one JSON for a support person, which `cutover-wasm/diagnose` and the diagnostics page read:
 * which files there are, what the next start would do, and what went wrong. It has no rows, and
 * writes home directories as `~`.
 *
 * The call changes nothing, takes no lock, and opens no file that this process has open. In that
 * case a separate process, `npx cutover doctor`, sees more.
 *
 * @throws {@link CutoverError} `IO` when the directory is not readable; `ABORTED` after `signal`.
 * @throws {@link TypeError} An argument is wrong.
 */
export async function doctor(path: string, options: DoctorOptions = {}): Promise<Bundle> {
  const fields = {
    "companions?": paths,
    "lastError?": error,
    "events?": list,
    "applicationData?": flag,
    "checkUpTo?": whole(0, Number.MAX_SAFE_INTEGER),
    "onEvent?": callback,
    "signal?": signal,
  };
  checkFields("options", options, fields);
  const { companions = {}, lastError, events = [], applicationData = false, checkUpTo } = options;
  const bun = process.versions["bun"];
  const runtime = bun ? `bun ${bun}` : `node ${process.versions.node}`;
  const given = {
    path: filePath(path, "path"),
    companions,
    lastError: lastError ? failure(lastError) : null,
    events,
    runtime,
    applicationData,
    checkUpTo,
    eventsHeard: options.onEvent !== undefined,
    aborted: options.signal?.aborted ?? false,
  };
  return (await deliver({ doctor: given }, new Callbacks(options))) as Bundle;
}

/** The failure as data. */
function failure(error: CutoverError): Failure {
  const {
    code,
    message,
    os = null,
    op = null,
    path = null,
    phase,
    attempts,
    waitedMs,
    data,
    hint,
    reason,
  } = error;
  return {
    code,
    message,
    os,
    op,
    path,
    phase,
    attempts,
    waitedMs,
    holders: [...error.holders],
    data,
    hint,
    reason,
  };
}
