const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };

let collect: (() => void) | undefined;

/** The garbage collector of the runtime. Node hides it. */
function collector(): () => void {
  if (Bun) return () => Bun.gc(true);
  if (typeof globalThis.gc === "function") return () => void globalThis.gc?.();
  // Loaded here, since few programs need them.
  const { setFlagsFromString } = require("node:v8") as typeof import("node:v8");
  const { runInNewContext } = require("node:vm") as typeof import("node:vm");
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/**
 * Releases leaked connections: a driver keeps the files of a closed database open until the garbage
 * collector collects its statements. Finalizers run in a later turn of the event loop.
 */
export async function releaseHandles(): Promise<void> {
  collect ??= collector();
  collect();
  await new Promise((resolve) => setImmediate(resolve));
}
