// Stages of a test run: each shows what it prints and counts its tests.
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, constants, setPriority } from "node:os";
import { root } from "./setup.mjs";

export const cargoTests = { passed: /^test result: .*? (\d+) passed/gm, failed: /^test result: .*?; (\d+) failed/gm };
/** By itself Node leaves one core idle: on two it runs one file after another. */
export const nodeTest = ["--test", "--test-reporter=spec", "--test-timeout=900000", `--test-concurrency=${availableParallelism()}`];
export const nodeTests = { passed: /^ℹ pass (\d+)\r?$/gm, failed: /^ℹ (?:fail|cancelled|skipped|todo) (\d+)\r?$/gm };

let passed = 0;
let failed = 0;
const failures = [];
const seconds = [];
const FAILED_TEST = /^(?:✖ (?!failing tests:)(.+?)(?: \([\d.]+ms\))?|---- (.+) stdout ----)\r?$/gm;

/**
 * Runs one stage, shows what it prints, and counts its tests. A stage that fails without a failed test counts as one.
 * `through`: a file that takes what the stage prints, for a program that can write to nothing else.
 * `behind`: other stages go on meanwhile and come first; what the stage prints is shown when it has ended.
 */
export async function stage(name, [command, ...args], { env = {}, cwd = root, count, through, behind = false } = {}) {
  const title = `\n── ${name}: ${[command, ...args].slice(0, 6).join(" ")}${args.length > 5 ? " …" : ""}`;
  if (!behind) console.log(title);
  const begun = performance.now();
  const file = through && openSync(through, "w");
  // On Linux such a stage gets a core only where no other process wants it: with the lowest priority alone it still delays them.
  const idle = behind && process.platform === "linux" ? ["chrt", "--idle", "0"] : [];
  const [program, ...all] = [...idle, command, ...args];
  const child = spawn(program, all, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", file ?? "pipe", file ?? "pipe"] });
  if (behind && child.pid) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let output = "";
  let errors = "";
  child.stdout?.on("data", (chunk) => {
    output += chunk;
    if (!behind) process.stdout.write(chunk);
  });
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
    if (!behind) process.stderr.write(chunk);
  });
  const status = await new Promise((resolve) => {
    child.on("error", (error) => {
      errors += error.message;
      console.error(error.message);
      resolve(1);
    });
    child.on("close", resolve);
  });
  if (behind) console.log(`${title}\n${output}${status === 0 ? "" : errors}`);
  if (through) {
    closeSync(file);
    output = readFileSync(through, "utf8");
    process.stdout.write(output);
    rmSync(through);
  }
  const sum = (pattern) => [...output.matchAll(pattern)].reduce((total, [, n]) => total + Number(n), 0);
  const tests = count ? sum(count.passed) : 0;
  let wrong = count ? sum(count.failed) : 0;
  if (count && tests === 0) console.error(`${name}: no test was run`);
  if (wrong === 0 && (status !== 0 || (count && tests === 0))) wrong = 1;
  passed += tests;
  failed += wrong;
  if (status !== 0) console.error(`✖ ${name} failed`);
  const took = Math.round((performance.now() - begun) / 1000);
  seconds.push([took, name]);
  console.log(`── ${name}: ${took} s`);
  if (wrong > 0) {
    const named = [...output.matchAll(FAILED_TEST)].map(([, node, cargo]) => node ?? cargo);
    // Without the name of a test: the last that it said.
    failures.push(...new Set((named.length > 0 ? named : errors.trim().split("\n").slice(-12)).map((line) => `✖ ${name}: ${line}`)));
  }
}

/** Prints the seconds of each stage, what failed, and the sum as the last lines, for a reader who sees only the end. The status is 1 when anything failed. */
export function sum(prefix = "") {
  const longest = seconds.toSorted(([a], [b]) => b - a);
  console.log(`\nseconds: ${longest.map(([took, name]) => `${name} ${took}`).join(", ")}`);
  if (failures.length > 0) console.log(`\n${failures.join("\n")}`);
  console.log(`\n${prefix}${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
