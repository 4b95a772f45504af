// Loads the addon. Each file name is a literal and each platform is compared in place, so that a
// bundler includes only the file of its target.

/** A running task. */
export interface Session {
  send(text: string): void;
}

/** The owner lock of a database, as the addon holds it. */
export interface NativeLock {
  readonly files: string[];
  release(): void;
}

interface Addon {
  start(
    task: string,
    lock: NativeLock | null,
    receive: (delivery: string | NativeLock) => void,
  ): Session;
  plan(observation: string, request: string): string;
  planRecovery(observation: string, label: string, nonce: string): string;
  validatePlan(plan: string, target?: string): string;
  explainError(text: string): string;
  readDatabaseHeader(bytes: Uint8Array, size?: number): string;
  diagnose(dropped: string): string;
  planLanes(dropped: string, stagingHeld: boolean): string;
  replayCrash(line: string): string;
  WalReader: new (shm?: Uint8Array) => { feed(bytes: Uint8Array): void; finish(): string };
  Exploration: new (question: string) => { on(states: number): string; matrix(): string };
}

function load(): Addon {
  if (process.platform === "linux" && process.arch === "x64")
    return require("../cutover.linux-x64-gnu.node") as Addon;
  if (process.platform === "win32" && process.arch === "x64")
    return require("../cutover.win32-x64-msvc.node") as Addon;
  if (process.platform === "darwin" && process.arch === "arm64")
    return require("../cutover.darwin-arm64.node") as Addon;
  throw new Error(
    `cutover has no addon for ${process.platform}-${process.arch}, only for linux-x64 (glibc), win32-x64 and darwin-arm64`,
  );
}

export const native = load();
