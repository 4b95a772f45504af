// Finds the addon and loads it at the first call that needs it. Each platform's addon is a package
// of its own, which npm installs where it fits.
import { closeSync, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { isAbsolute } from "node:path";
import { describe } from "./error.js";

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
}

interface Provided {
  platform: string;
  load: () => unknown;
}

let provided: Provided | undefined;
let loaded: Addon | undefined;

/** Takes the addon of a platform as a program that was bundled for it contains it. */
export function provide(platform: string, load: () => unknown): void {
  provided = { platform, load };
}

/**
 * The addon.
 *
 * @throws `Error` with the code `CUTOVER_NO_ADDON`, which says what was tried and what to do.
 */
export function addon(): Addon {
  return (loaded ??= load());
}

function load(): Addon {
  const named = process.env.CUTOVER_NATIVE_PATH;
  if (named) {
    const hint = "Correct it, or remove it from the environment.";
    if (!isAbsolute(named))
      throw missing(`CUTOVER_NATIVE_PATH is ${named}, which is not an absolute path`, hint);
    return attempt(() => from(named), `CUTOVER_NATIVE_PATH is ${named}`, hint);
  }
  const platform = thisPlatform();
  const name = `cutover-${platform}`;
  if (provided) {
    const tried = `this program contains the addon for ${provided.platform}`;
    return attempt(provided.load, tried, `Build it with cutover/${platform} for this system.`);
  }
  const hint =
    `Install cutover on this system, with its optional dependencies; a program that a bundler ` +
    `makes imports cutover/${platform} instead of cutover; or set CUTOVER_NATIVE_PATH to the ` +
    `absolute path of an addon.`;
  return attempt(() => from(name), `the package ${name} brings it`, hint);
}

/** Loads a package or a file. A bundler does not see what is loaded. */
function from(name: string): unknown {
  // An ECMAScript module has no name of its own there: then the name of an absolute file suffices.
  return createRequire(typeof __filename === "string" ? __filename : process.execPath)(name);
}

function attempt(load: () => unknown, tried: string, hint: string): Addon {
  try {
    return load() as Addon;
  } catch (error) {
    // The first line: what follows in Node's message is who asked for the module. Windows ends its
    // reasons with a full stop and a line break.
    const [why] = describe(error).split(/\.?\r?\n/);
    throw missing(`${tried}, but: ${why}`, hint, error);
  }
}

function missing(tried: string, hint: string, cause?: unknown): Error {
  const { bun, node } = process.versions;
  const runtime = bun ? `Bun ${bun}` : `Node ${node}`;
  const message = `cutover has no addon for ${thisPlatform()} (${runtime}): ${tried}. ${hint} Nothing was touched.`;
  return Object.assign(new Error(message, { cause }), { code: "CUTOVER_NO_ADDON" });
}

/** The name of this system's addon: `linux-x64-musl`, `win32-x64`. */
function thisPlatform(): string {
  const { platform, arch } = process;
  const libc = platform === "linux" ? (usesMusl(process.execPath) ? "-musl" : "-gnu") : "";
  return `${platform}-${arch}${libc}`;
}

/**
 * Whether a program runs on musl: its ELF file names the loader that starts it (`PT_INTERP`), and
 * musl's is `/lib/ld-musl-<arch>.so.1`.
 */
function usesMusl(program: string): boolean {
  try {
    const file = openSync(program, "r");
    try {
      const bytes = (at: number, size: number) => {
        const buffer = Buffer.alloc(size);
        return buffer.subarray(0, readSync(file, buffer, 0, size, at));
      };
      // The fields of a 64-bit ELF file: man 5 elf.
      const header = bytes(0, 64);
      const [table, entry, entries] = [32, 54, 56].map((at, index) =>
        index === 0 ? Number(header.readBigUInt64LE(at)) : header.readUInt16LE(at),
      ) as [number, number, number];
      for (let index = 0; index < entries; index++) {
        const segment = bytes(table + index * entry, 56);
        if (segment.readUInt32LE(0) !== 3) continue;
        const [at, size] = [segment.readBigUInt64LE(8), segment.readBigUInt64LE(32)].map(Number);
        return bytes(at as number, Math.min(size as number, 4096)).includes("/ld-musl-");
      }
    } finally {
      closeSync(file);
    }
  } catch {
    // Not readable, or no ELF file: then the usual one.
  }
  return false;
}
