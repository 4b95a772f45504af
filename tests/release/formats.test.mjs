// An older release beside what a newer one left: it refuses each of its files as `NEWER`, and touches nothing. The newer one is this tree with every
// version of a format raised by one, built and packed. (That a newer release reads what older ones left is proven on tests/disks.)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { PLATFORMS } from "../../bindings-node/platforms.mjs";
import { SQL, clone, install, seeded } from "./support.mjs";

const platform = "linux-x64-gnu";
const lab = join(process.env.CUTOVER_RELEASE_LAB, "rust");
const older = install(PLATFORMS[platform]);
const newer = install(PLATFORMS[platform]);

/** Where the version of each format is written. */
const VERSIONS = {
  JOURNAL_VERSION: "core/src/journal/mod.rs",
  RECEIPT_VERSION: "core/src/journal/mod.rs",
  PLAN_VERSION: "core/src/plan/mod.rs",
  BUNDLE_VERSION: "core/support/src/bundle.rs",
};

test("the newer release is built", () => {
  const raised = clone(join(lab, "newer"));
  for (const [name, file] of Object.entries(VERSIONS)) {
    const text = readFileSync(join(raised, file), "utf8");
    const next = text.replace(new RegExp(`(const ${name}: u32 = )(\\d+)`), (_, head, version) => head + (Number(version) + 1));
    assert.notEqual(next, text, name);
    writeFileSync(join(raised, file), next);
  }
  const env = { ...process.env, CARGO_TARGET_DIR: join(lab, "target") };
  const { status, stdout, stderr } = spawnSync(process.execPath, ["bindings-node/build.mjs"], { cwd: raised, encoding: "utf8", env });
  assert.equal(status, 0, stdout + stderr);
  const name = `node_modules/cutover-${platform}`;
  cpSync(join(raised, "bindings-node", name), join(newer, name), { recursive: true });
});

/** Runs JavaScript with a release. `options` are those of the upgrade of `path`. */
function run(release, path, code) {
  const program = join(release, "program.mjs");
  const options = `{ path, label: "v1-v2", detect: { userVersion: 2 }, make: { from: "empty", run: { sql: ${JSON.stringify(SQL)} } } }`;
  writeFileSync(program, `import * as cutover from "cutover";\nconst path = process.argv[2];\nconst options = ${options};\n${code}\n`);
  return spawnSync(process.execPath, [program, path], { cwd: release, encoding: "utf8" });
}

/** Every file of the folder of a database, with its bytes. An owner lock has none. */
const files = (path) => readdirSync(dirname(path)).filter((name) => !name.endsWith("-lock")).sort().map((name) => [name, readFileSync(join(dirname(path), name), "base64")]);

/** The older release refuses a call as newer, and every file is as it was. */
function refused(path, call) {
  const before = files(path);
  const { stdout, stderr } = run(older, path, `await ${call}.then(() => console.log("done"), (error) => console.log(error.code, error.message));`);
  assert.match(stdout, /^NEWER .*start the newer release/, stdout + stderr);
  assert.deepEqual(files(path), before);
}

/** The newer release is killed before a step; its journal stays. */
function killedBefore(op) {
  const path = seeded();
  const { signal, stderr } = run(newer, path, `await cutover.migrate({ ...options, onEvent: (event) => event.type === "step" && event.op === "${op}" && process.kill(process.pid, "SIGKILL") });`);
  assert.equal(signal, "SIGKILL", stderr);
  return path;
}

for (const op of ["build-sql", "link"])
  test(`a journal of a newer release that was killed before ${op}`, () => {
    const path = killedBefore(op);
    refused(path, "cutover.migrate(options)");
    refused(path, "cutover.recover(options)");
    const { stdout, stderr } = run(newer, path, "console.log((await cutover.migrate(options)).outcome);");
    assert.equal(stdout, "migrated\n", stderr);
  });

test("a receipt of a newer release", () => {
  const path = seeded();
  assert.equal(run(newer, path, "await cutover.migrate(options);").status, 0);
  const backup = readdirSync(dirname(path)).find((name) => /^data\.db\.v1-v2-\d+-[0-9a-f]{8}$/.test(name));
  refused(path, `cutover.restore(path, ${JSON.stringify(backup)})`);
  refused(path, `cutover.adoptBackup(path, ${JSON.stringify(backup)})`);
  // It is one more backup that this release does not count as whole, so it never removes it.
  const { stdout, stderr } = run(older, path, "console.log((await cutover.pruneBackups(path, { keep: 0 })).removed.length);");
  assert.equal(stdout, "0\n", stderr);
});

test("a plan of a newer release", () => {
  const path = seeded();
  const made = run(newer, path, "console.log(JSON.stringify(await cutover.plan(options)));");
  const plan = JSON.parse(made.stdout);
  refused(path, `cutover.runPlan(${JSON.stringify(plan)}, options)`);
});

test("a bundle of a newer release is not judged", () => {
  const path = seeded();
  const { stdout } = run(newer, path, "console.log(JSON.stringify(await cutover.doctor(path)));");
  const told = run(older, path, `import { diagnose } from "cutover/pure"; console.log(JSON.stringify(await diagnose({ text: ${JSON.stringify(stdout)} })));`);
  const said = JSON.parse(told.stdout);
  assert.match(said.because, /A newer release wrote this bundle/, told.stdout + told.stderr);
});
