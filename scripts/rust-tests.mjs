// Runs Rust tests, each in a process of its own. Two that start children and look at who has a file open disturb each
// other in one process (.cargo/config.toml), and a process for each keeps every core busy to the end.
// `rust-tests.mjs <what cargo test takes> [-- <filters and --skip NAME>]`
//
// Documentation tests are no programs: `cargo test --doc` runs them.
import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { fail, root } from "./setup.mjs";

const given = process.argv.slice(2);
const split = given.indexOf("--");
const [select, filters] = split < 0 ? [given, []] : [given.slice(0, split), given.slice(split + 1)];
/** Tests wait for disks and children: with one for each core there is time left. */
const atOnce = 2 * availableParallelism();
const SLOW_SECONDS = 10;

/** What starts a program of another system, as cargo has it: `CARGO_TARGET_<TRIPLE>_RUNNER`. */
const triple = select[select.indexOf("--target") + 1]?.toUpperCase().replaceAll("-", "_");
const runner = process.env[`CARGO_TARGET_${triple}_RUNNER`]?.split(" ") ?? [];

function output(command, args, options = {}) {
  const { status, stdout, error } = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"], ...options });
  if (error) fail(`${command} cannot be started: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(" ")} failed (${status})`);
  return stdout;
}

/** The test programs, and the directory of the package of each, where cargo runs it. */
function programs() {
  const messages = output("cargo", ["test", "--quiet", "--no-run", "--message-format=json-render-diagnostics", ...select]);
  return messages
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter(({ executable, profile }) => executable && profile.test)
    .map(({ executable, manifest_path, target }) => ({ executable, cwd: dirname(manifest_path), name: target.name }));
}

/** A program and its arguments, behind what starts it. */
function started(executable, args, start) {
  const [program, ...all] = [...runner, executable, ...args];
  return start(program, all);
}

/** The harness runs functions that are marked as ignored in no other way than by name: those are processes of the tests. */
function tests({ executable, cwd, name }) {
  const listed = (...more) => [...started(executable, [...filters, "--list", ...more], (program, args) => output(program, args, { cwd })).matchAll(/^(.+): test\r?$/gm)].map(([, test]) => test);
  const processes = new Set(listed("--ignored"));
  return listed().filter((test) => !processes.has(test)).map((test) => ({ executable, cwd, test, label: `${name} ${test}` }));
}

function run({ executable, cwd, test }) {
  return new Promise((resolve) => {
    const begun = performance.now();
    const child = started(executable, [test, "--exact"], (program, args) => spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] }));
    let said = "";
    const hear = (chunk) => (said += chunk);
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    const end = (status) => {
      // A name that is none is no failure to the harness.
      const passed = status === 0 && /^test result: ok\. 1 passed; 0 failed/m.test(said);
      resolve({ passed, said, seconds: (performance.now() - begun) / 1000 });
    };
    child.on("error", (error) => end(hear(error.message)));
    child.on("close", (status, signal) => end(status ?? hear(`ended by ${signal}`)));
  });
}

/** A test that was renamed is skipped no longer, and nothing else would say so. */
function refuseStaleSkips(built) {
  const all = built.flatMap(({ executable, cwd }) => started(executable, ["--list"], (program, args) => output(program, args, { cwd })));
  const skipped = filters.filter((_, at) => filters[at - 1] === "--skip");
  const stale = skipped.filter((name) => !all.some((list) => list.includes(name)));
  if (stale.length > 0) fail(`--skip ${stale.join(", ")}: no test has such a name`);
}

const built = programs();
refuseStaleSkips(built);
const waiting = built.flatMap(tests);
const slow = [];
let passed = 0;
let failed = 0;
async function worker() {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const ended = await run(next);
    if (ended.seconds > SLOW_SECONDS) slow.push([ended.seconds, next.label]);
    if (ended.passed) {
      passed += 1;
      continue;
    }
    failed += 1;
    // As the harness has it, where it had a chance to.
    const header = ended.said.includes(`---- ${next.test} stdout ----`) ? "" : `---- ${next.test} stdout ----\n`;
    console.log(`${next.label} failed\n${header}${ended.said}`);
  }
}
await Promise.all(Array.from({ length: atOnce }, worker));
for (const [seconds, label] of slow.sort(([a], [b]) => b - a)) console.log(`${seconds.toFixed(0).padStart(4)} s ${label}`);
console.log(`test result: ${failed === 0 ? "ok" : "FAILED"}. ${passed} passed; ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
