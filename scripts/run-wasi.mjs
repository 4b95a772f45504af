// Runs the tests of core and of core/support in wasm. Without arguments it starts cargo with itself as the runner; with arguments it is that runner:
// `run-wasi.mjs <program.wasm> <arguments>`. The program gets no directory and no variable of the environment.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WASI } from "node:wasi";
import { run } from "./setup.mjs";

const [program, ...args] = process.argv.slice(2);
if (program) {
  const wasi = new WASI({ version: "preview1", args: [program, ...args], returnOnExit: true });
  const { instance } = await WebAssembly.instantiate(readFileSync(program), wasi.getImportObject());
  process.exitCode = wasi.start(instance);
} else {
  const runner = `node --no-warnings ${fileURLToPath(import.meta.url)}`;
  run("cargo", ["test", "--quiet", "--package", "cutover-core", "--package", "cutover-support", "--test", "it", "--target", "wasm32-wasip1"], {
    env: { ...process.env, CARGO_TARGET_WASM32_WASIP1_RUNNER: runner },
  });
}
