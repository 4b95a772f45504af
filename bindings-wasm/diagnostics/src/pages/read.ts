// Lets a worker read the pages of a database.
import type { Checked } from "./check.js";
import type { Said, Task } from "./worker.js";

/** The largest database that is read without being asked to, with its log, bytes. */
export const BY_ITSELF = 300 << 20;

/** The worker, which has loaded SQLite. It is ended only to stop it. */
let idle: Worker | undefined;

/** Reads the pages. It tells how much is read, and ends early when `signal` says so. */
export function readPages(
  task: Task,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Checked> {
  const notMade = (why: string): Checked => ({ check: { result: "not-made", why }, content: null });
  const broken = "SQLite could not be loaded in this page";
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(notMade(STOPPED));
    const worker =
      idle ?? new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    idle = undefined;
    const end = (checked: Checked, done: boolean) => {
      if (done) idle = worker;
      else worker.terminate();
      signal.removeEventListener("abort", stop);
      resolve(checked);
    };
    const stop = () => end(notMade(STOPPED), false);
    signal.addEventListener("abort", stop);
    worker.onmessage = ({ data }: MessageEvent<Said>) => {
      if ("read" in data) onRead(data.read);
      else if ("checked" in data) end(data.checked, true);
      else end(notMade(`${broken} (${data.broken})`), false);
    };
    worker.onerror = () => end(notMade(broken), false);
    worker.postMessage(task);
  });
}

const STOPPED = "the reading was stopped";
