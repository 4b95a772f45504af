// The pure functions as WebAssembly, which needs no addon. Each module is compiled at the first
// call that needs it. face.mjs makes the files.
interface Planner {
  plan(observation: string, request: string): string;
  planRecovery(observation: string, label: string, nonce: string): string;
  validatePlan(plan: string, target?: string): string;
  explainError(text: string): string;
}

interface Support {
  readDatabaseHeader(bytes: Uint8Array, size?: bigint): string;
  diagnose(dropped: string): string;
  WalReader: new (shm?: Uint8Array) => { feed(bytes: Uint8Array): void; finish(): string };
}

interface Explorer {
  planLanes(dropped: string, stagingHeld: boolean): string;
  replayCrash(line: string): string;
  Exploration: new (question: string) => {
    on(states: number): string;
    matrix(): string;
    free(): void;
  };
}

interface Packed<T> {
  script: T & { initSync(options: { module: Uint8Array }): unknown };
  /** The WebAssembly: brotli, then base64. */
  packed: string;
}

function once<T>(load: () => Packed<T>): () => T {
  let loaded: T | undefined;
  return () => {
    if (loaded) return loaded;
    const { script, packed } = load();
    const { brotliDecompressSync } = require("node:zlib") as typeof import("node:zlib");
    script.initSync({ module: brotliDecompressSync(Buffer.from(packed, "base64")) });
    return (loaded = script);
  };
}

// A bundler includes only what it reads as a literal.
export const planner = once<Planner>(() => require("./wasm/cutover_wasm.js"));
export const support = once<Support>(() => require("./wasm/cutover_wasm_diagnose.js"));
export const explorer = once<Explorer>(() => require("./wasm/cutover_wasm_explorer.js"));
