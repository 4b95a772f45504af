// Stages of a test run: each shows what it prints and counts its tests.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { root } from "./setup.mjs";

export const cargoTests = { passed: /^test result: .*? (\d+) passed/gm, failed: /^test result: .*?; (\d+) failed/gm };
export const nodeTests = { passed: /^ℹ pass (\d+)\r?$/gm, failed: /^ℹ (?:fail|cancelled|skipped|todo) (\d+)\r?$/gm };

let passed = 0;
let failed = 0;

/**
 * Runs one stage, shows what it prints, and counts its tests. A stage that fails without a failed test counts as one.
 * `through`: a file that takes its standard output, for a program that can write to nothing else.
 */
export async function stage(name, [command, ...args], { env = {}, cwd = root, count, through } = {}) {
  console.log(`\n── ${name}: ${[command, ...args].slice(0, 6).join(" ")}${args.length > 5 ? " …" : ""}`);
  const file = through && openSync(through, "w");
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", file ?? "pipe", file ?? "inherit"] });
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  const status = await new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(error.message);
      resolve(1);
    });
    child.on("close", resolve);
  });
  if (through) {
    closeSync(file);
    output = readFileSync(through, "utf8");
    process.stdout.write(output);
    rmSync(through);
  }
  const before = failed;
  const sum = (pattern) => [...output.matchAll(pattern)].reduce((total, [, n]) => total + Number(n), 0);
  if (count) {
    const tests = sum(count.passed);
    passed += tests;
    failed += sum(count.failed);
    if (tests === 0) {
      console.error(`${name}: no test was run`);
      failed += failed === before ? 1 : 0;
    }
  }
  if (status !== 0 && failed === before) failed += 1;
  if (status !== 0) console.error(`✖ ${name} failed`);
}

/** Prints the sum as the last line, and sets the status: 1 when anything failed. */
export function sum(prefix = "") {
  console.log(`\n${prefix}${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
