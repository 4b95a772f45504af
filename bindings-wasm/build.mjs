// Builds the three modules with cargo alone, writes their JavaScript with the version of
// wasm-bindgen that compiled them, then compiles the TypeScript. The package `cutover` takes the
// modules from the folder `script`.
import { spawnSync } from "node:child_process";
import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const directory = fileURLToPath(new URL(".", import.meta.url));

function run(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
  });
  if (error) throw error;
  if (status !== 0) process.exit(1);
  return stdout;
}

/** The program or the WebAssembly that a build of this crate made. */
function built(args, crate) {
  const messages = run("cargo", [
    "build",
    "--quiet",
    "--message-format=json-render-diagnostics",
    ...args,
  ]);
  const artifacts = messages
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  const { filenames, executable } = artifacts.findLast(({ target }) => target?.name === crate);
  return executable ?? filenames.find((name) => name.endsWith(".wasm"));
}

// The modules digest one page of a database, so a small SHA-256 is better than a fast one. The flag
// is for this target alone, so that cargo builds nothing else again.
const compact = `--cfg=sha2_backend_soft="compact"`;
// Rust names the source file of a panic: without the paths of this machine.
const { CARGO_HOME = join(homedir(), ".cargo") } = process.env;
const sources = [
  join(run("rustc", ["--print=sysroot"]).trim(), "lib/rustlib/src/rust/library"),
  join(CARGO_HOME, "registry/src"),
];
const flags = [compact, ...sources.map((path) => `--remap-path-prefix=${path}=`)];
const target = [
  "--target=wasm32-unknown-unknown",
  `--config=target.wasm32-unknown-unknown.rustflags=[${flags.map((flag) => `'${flag}'`).join()}]`,
];
const bindgen = built(["--package=cutover-wasm-bindgen"], "cutover-wasm-bindgen");
for (const crate of ["cutover-wasm", "cutover-wasm-diagnose", "cutover-wasm-explorer"]) {
  const wasm = built(
    ["--profile=wasm", `--package=${crate}`, ...target],
    crate.replaceAll("-", "_"),
  );
  run(bindgen, [wasm, join(directory, "dist/wasm"), join(directory, "script")]);
}
const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
run(process.execPath, [join(typescript, "../bin/tsc"), "--project", directory], {
  stdio: "inherit",
});
copyFileSync(
  join(directory, "../core/schema/generated.d.ts"),
  join(directory, "dist/generated.d.ts"),
);
