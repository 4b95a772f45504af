// Loads a module of WebAssembly: a browser fetches it, a bundler finds it by its address, which stands where `begin` is called, and Node reads it.

/** Where the module's bytes are, if not beside this file. */
export type Source = URL | Response | BufferSource | WebAssembly.Module;

type Init = (options: { module_or_path: Source | Promise<Source> }) => Promise<unknown>;

export async function begin(init: Init, address: URL, source?: Source): Promise<void> {
  await init({ module_or_path: source ?? (await read(address)) });
}

/** The bytes, where `fetch` takes no file; else the address. */
async function read(address: URL): Promise<URL | BufferSource> {
  if (address.protocol !== "file:" || typeof process === "undefined" || !process.versions?.node) return address;
  // Not for a bundler to follow: no browser gets here.
  const fs = "node:fs/promises";
  const { readFile } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ fs)) as typeof import("node:fs/promises");
  return readFile(address);
}
