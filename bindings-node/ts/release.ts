import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };

let collect: (() => void) | undefined;

/** The runtime's garbage collector, which Node hides. */
function collector(): () => void {
  if (Bun) return () => Bun.gc(true);
  if (typeof globalThis.gc === "function") return () => void globalThis.gc?.();
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/**
 * Lets go of what was closed and is still open: drivers keep a database's files until a statement of theirs is collected. Finalizers run in a
 * turn of the event loop of their own.
 */
export async function releaseHandles(): Promise<void> {
  collect ??= collector();
  collect();
  await new Promise((resolve) => setImmediate(resolve));
}
