// Loads a module of WebAssembly: a browser, a worker and a bundler find it beside this file, Node reads it.

/** Where the module's bytes are, if not beside this file. */
export type Source = URL | Response | BufferSource | WebAssembly.Module;

type Init = (options: { module_or_path?: Source | Promise<Source> }) => Promise<unknown>;

export async function begin(init: Init, name: string, source?: Source): Promise<void> {
  const module_or_path = source ?? (await read(name));
  await init(module_or_path === undefined ? {} : { module_or_path });
}

/** The bytes, where `fetch` takes no file. Nothing: the module knows its own address. */
async function read(name: string): Promise<BufferSource | undefined> {
  if (!import.meta.url.startsWith("file:") || typeof process === "undefined" || !process.versions?.node) return undefined;
  // Not for a bundler to follow: no browser gets here.
  const fs = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ fs)) as typeof import("node:fs/promises");
  return readFile(new URL(`wasm/${name}`, import.meta.url));
}
