import { checkFields, filePath, whole, type Check } from "./check.js";
import { CutoverError } from "./error.js";
import type { Bundle, Event, Failure } from "./generated.js";
import { paths } from "./options.js";
import { deliver } from "./session.js";

/** What {@link doctor} may be told. */
export interface DoctorOptions {
  /** As for a migration: name to path. Then what lies beside them goes in, and what the next start would do with it; of what is in them, a SHA-256. */
  companions?: Record<string, string>;
  /** The failure that the application kept of its last start. */
  lastError?: CutoverError;
  /** The events that it kept, oldest first. */
  events?: readonly Event[];
  /** Whether what the application saved, reported and said goes in as well. It may be personal. Default: no. */
  applicationData?: boolean;
  /** Up to this size, in bytes, SQLite checks the pages of the database, in a private copy where it has an open log; 0: never. Default: 1 GiB. */
  checkUpTo?: number;
}

const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const list: Check = (value) => (Array.isArray(value) ? undefined : "an array");
const error: Check = (value) => (value instanceof CutoverError ? undefined : "a CutoverError");

/**
 * Everything that a support person needs, as one JSON that `cutover-wasm` and its page read: what lies there, what the next start would do, what went
 * wrong. No rows; home directories as `~`. Changes nothing, takes no lock, and opens nothing that this process holds: then a process of its own,
 * `npx cutover doctor`, sees more.
 *
 * @throws {@link CutoverError} `IO` when the directory cannot be read.
 */
export async function doctor(path: string, options: DoctorOptions = {}): Promise<Bundle> {
  const fields = { "companions?": paths, "lastError?": error, "events?": list, "applicationData?": flag, "checkUpTo?": whole(0, Number.MAX_SAFE_INTEGER) };
  checkFields("options", options, fields);
  const { companions = {}, lastError, events = [], applicationData = false, checkUpTo } = options;
  const bun = process.versions["bun"];
  const runtime = bun ? `bun ${bun}` : `node ${process.versions.node}`;
  const given = { path: filePath(path, "path"), companions, lastError: lastError ? failure(lastError) : null, events, runtime, applicationData, checkUpTo };
  return (await deliver({ doctor: given })) as Bundle;
}

/** The failure that the error was made from. */
function failure(error: CutoverError): Failure {
  const { code, message, os = null, op = null, path = null, phase, attempts, waitedMs, data, hint, reason } = error;
  return { code, message, os, op, path, phase, attempts, waitedMs, holders: [...error.holders], data, hint, reason };
}
