// Loads a module of WebAssembly. A browser fetches it, Node reads it, and a bundler finds it by its
// address, which stands where `once` is called.

/** Where the bytes of a module are. */
export type Source = URL | Response | BufferSource | WebAssembly.Module;

type Init = (options: { module_or_path: Source | Promise<Source> }) => Promise<unknown>;

/**
 * A function that loads the module on its first call. After a failure the next call loads again.
 */
export function once(init: Init, address: URL): (source?: Source) => Promise<void> {
  let loading: Promise<void> | undefined;
  return (source) =>
    (loading ??= begin(init, address, source).catch((error: unknown) => {
      loading = undefined;
      throw error;
    }));
}

async function begin(init: Init, address: URL, source?: Source): Promise<void> {
  await init({ module_or_path: source ?? (await read(address)) });
}

/** The bytes where `fetch` cannot read a file, else the address. */
async function read(address: URL): Promise<URL | BufferSource> {
  if (address.protocol !== "file:" || typeof process === "undefined" || !process.versions?.node)
    return address;
  // A bundler must not follow this import: only Node runs it.
  const fs = "node:fs/promises";
  const { readFile } = (await import(
    /* @vite-ignore */ /* webpackIgnore: true */ fs
  )) as typeof import("node:fs/promises");
  return readFile(address);
}
