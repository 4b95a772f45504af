// The platforms that have an addon, each in a package of its own, `cutover-<platform>`: what npm
// compares before it installs one, and the target of the compiler. ts/native.ts and the entries in
// ts/platforms/ have the same names.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const PLATFORMS = {
  "linux-x64-gnu": { os: "linux", cpu: "x64", libc: "glibc", target: "x86_64-unknown-linux-gnu" },
  "linux-x64-musl": { os: "linux", cpu: "x64", libc: "musl", target: "x86_64-unknown-linux-musl" },
  "linux-arm64-gnu": {
    os: "linux",
    cpu: "arm64",
    libc: "glibc",
    target: "aarch64-unknown-linux-gnu",
  },
  "linux-arm64-musl": {
    os: "linux",
    cpu: "arm64",
    libc: "musl",
    target: "aarch64-unknown-linux-musl",
  },
  "win32-x64": { os: "win32", cpu: "x64", target: "x86_64-pc-windows-gnu" },
  "win32-arm64": { os: "win32", cpu: "arm64", target: "aarch64-pc-windows-gnullvm" },
  "darwin-x64": { os: "darwin", cpu: "x64", target: "x86_64-apple-darwin" },
  "darwin-arm64": { os: "darwin", cpu: "arm64", target: "aarch64-apple-darwin" },
};

const abi = /-windows-\w+$/;

/** The platform of a target. To Node an addon is the same, whichever tools of Windows made it. */
export function platformOf(target) {
  const found = Object.keys(PLATFORMS).find(
    (name) => PLATFORMS[name].target.replace(abi, "") === target.replace(abi, ""),
  );
  if (found === undefined) throw new Error(`no addon is made for ${target}`);
  return found;
}

const here = (name) => new URL(name, import.meta.url);
const { version, license, engines } = JSON.parse(readFileSync(here("package.json"), "utf8"));

/** Writes package.json of a platform's package, and gives where its addon belongs. */
export function platformPackage(platform, directory) {
  const { os, cpu, libc } = PLATFORMS[platform];
  const manifest = {
    name: `cutover-${platform}`,
    version,
    description: `The addon of cutover for ${platform}.`,
    license,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: "./cutover.node",
    exports: { ".": "./cutover.node", "./package.json": "./package.json" },
    files: ["cutover.node", "NOTICES.txt"],
  };
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return join(directory, "cutover.node");
}
