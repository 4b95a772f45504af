// Compiles the TypeScript, and puts beside it what it imports: the generated types, and the pure
// functions as CommonJS modules that contain their WebAssembly, so that every bundler takes them.
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

const directory = fileURLToPath(new URL(".", import.meta.url));
const dist = join(directory, "dist");

rmSync(dist, { recursive: true, force: true });
const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
const { status } = spawnSync(
  process.execPath,
  [join(compiler, "../bin/tsc"), "--project", directory],
  { stdio: "inherit" },
);
if (status !== 0) process.exit(1);
chmodSync(join(dist, "cli/main.js"), 0o755);
copyFileSync(join(directory, "../core/schema/generated.d.ts"), join(dist, "generated.d.ts"));

const made = join(directory, "../bindings-wasm/script");
const wasm = join(dist, "pure/wasm");
mkdirSync(wasm);
for (const name of ["cutover_wasm", "cutover_wasm_diagnose", "cutover_wasm_explorer"]) {
  const bytes = readFileSync(join(made, `${name}_bg.wasm`));
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const packed = brotliCompressSync(bytes, { params }).toString("base64");
  const script = readFileSync(join(made, `${name}.js`), "utf8");
  writeFileSync(
    join(wasm, `${name}.js`),
    `${script}\nexports.script = wasm_bindgen;\nexports.packed = "${packed}";\n`,
  );
}
