// The pure functions without WebAssembly: the program `pure` of tests/rust.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));

/** The answers, as texts. A call is `[name, argument…]`. */
export function native(calls) {
  const input = JSON.stringify(calls, (_, value) => {
    if (value instanceof Uint8Array) return [...value];
    return typeof value === "bigint" ? Number(value) : value;
  });
  const options = { input, encoding: "utf8", maxBuffer: 1 << 30 };
  const { status, stdout, stderr, error } = spawnSync(join(target, "debug/pure"), options);
  assert.equal(status, 0, error?.message ?? stderr);
  return JSON.parse(stdout);
}
