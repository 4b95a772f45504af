// `npm run check -- <folder>`: what a change in one crate needs, in less than two minutes: format, words, cycles, lints and
// quick tests. The folder is core (without one), core/support, core/explore, runner, bindings-node or bindings-wasm.
// `npm test` proves the rest.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fail, root } from "./setup.mjs";
import { cargoTests, stage, sum } from "./stage.mjs";

/** Tests that kill a process at each call, or explore what `--full` and `--mutants` explore: minutes. */
const SLOW = {
  "core/explore": ["an_upgrade_by_link_has_no_bad_state", "a_page_copy_has_no_bad_state", "the_recovery_table_in_another_order", "validate_mutants::", "a_fault_planted_in_a_page_copy"],
  runner: ["::killed_", "_killed_", "rights::shared::", "disks::", "crash_states::", "full_disk::", "a_flush_that_fails", "mounted_file::interrupted", "recover::legacy::a_legacy_undo", "companion_moved::"],
};
const folder = process.argv[2] ?? "core";
const manifest = (() => {
  try {
    return readFileSync(join(root, folder, "Cargo.toml"), "utf8");
  } catch {
    return fail(`${folder} is no crate of this project: name core, core/support, core/explore, runner, bindings-node or bindings-wasm`);
  }
})();
const [, crate] = /^name = "(.+)"/m.exec(manifest);
const node = process.execPath;
const skip = (SLOW[folder] ?? []).flatMap((name) => ["--skip", name]);

await stage("format", ["cargo", "fmt", "--all", "--check"]);
await stage("plain English", [node, "scripts/check-words.mjs"]);
await stage("no cycle of modules", [node, "scripts/check-cycles.mjs"]);
await stage("lints", ["cargo", "clippy", "--quiet", "--package", crate, "--all-targets", "--", "-D", "warnings"]);
if (folder.startsWith("bindings")) {
  await stage("TypeScript", [node, "node_modules/typescript/bin/tsc", "--project", folder, "--noEmit"]);
} else {
  await stage("tests", [node, "scripts/rust-tests.mjs", "--package", crate, "--", ...skip], { count: cargoTests });
}
sum();
