// Proves that core and its two neighbours perform no IO: built for wasm32 with all its code kept, it imports nothing from its environment, and clippy's bans
// in core/clippy.toml bite. Each check is first shown failing on a planted fault.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fail, root } from "./setup.mjs";

const target = "wasm32-unknown-unknown";
const scratch = mkdtempSync(join(tmpdir(), "cutover-purity-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

/** What a program printed; ends ours when it failed. */
function output(command, args, options) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28, ...options });
  if (status !== 0) fail(`${command} ${args.join(" ")} failed\n${stderr}`);
  return stdout;
}

/** The functions that a wasm file wants from its environment. */
const imports = (module) => WebAssembly.Module.imports(module).map(({ module, name }) => `${module}.${name}`);

function importsNothing() {
  const planted = join(scratch, "planted.wasm");
  const clock = 'unsafe extern "C" { fn now() -> f64; }\n#[unsafe(no_mangle)] pub extern "C" fn planted() -> f64 { unsafe { now() } }\n';
  output("rustc", ["--edition=2024", "--crate-type=cdylib", `--target=${target}`, `-o${planted}`, "-"], { input: clock });
  const seen = imports(new WebAssembly.Module(readFileSync(planted)));
  if (!seen.includes("env.now")) fail(`the check of imports does not see a planted clock: [${seen}]`);

  // With all its code kept; a name or two of each crate shows that it was.
  pure("cutover-core", ["plan_migration", "plan_recovery", "explain_error", "handle_fault"]);
  pure("cutover-support", ["diagnose", "read_database_header", "read_wal"]);
  pure("cutover-explore", ["replay_crash", "crash_states"]);
}

function pure(crate, wanted) {
  const cargo = ["rustc", "--quiet", `--package=${crate}`, "--lib", `--target=${target}`, "--crate-type=cdylib", "--message-format=json"];
  const messages = output("cargo", [...cargo, "--", "-Copt-level=0", "-Clink-dead-code", "-Clink-arg=--no-gc-sections", "-Cdebuginfo=0"]).trim().split("\n").map((line) => JSON.parse(line));
  const name = crate.replace("-", "_");
  const file = messages.flatMap(({ target, filenames }) => (target?.name === name ? filenames : [])).find((file) => file.endsWith(".wasm"));
  const module = new WebAssembly.Module(readFileSync(file));
  const names = Buffer.concat(WebAssembly.Module.customSections(module, "name").map((section) => Buffer.from(section)));
  const missing = wanted.filter((name) => !names.includes(name));
  if (missing.length > 0) fail(`the linker dropped ${missing}: the check of imports would prove nothing`);
  const found = imports(module);
  if (found.length > 0) fail(`${crate} wants from its environment: ${found.join(", ")}`);
  console.log(`${crate} is pure: ${readFileSync(file).length} bytes of wasm, no import`);
}

/** One fault for each room that is closed to core; each must be named by the lint. */
const PLANTED = {
  "std::fs::read": 'std::fs::read("x")',
  "std::fs::File": "std::mem::size_of::<std::fs::File>()",
  "std::net::TcpStream": "std::mem::size_of::<std::net::TcpStream>()",
  "std::time::Instant": "std::mem::size_of::<std::time::Instant>()",
  "std::time::SystemTime": "std::mem::size_of::<std::time::SystemTime>()",
  "std::env::var": 'std::env::var("x")',
  "std::process::Command": "std::mem::size_of::<std::process::Command>()",
  "std::thread::sleep": "std::thread::sleep(std::time::Duration::ZERO)",
  "std::hash::RandomState": "std::mem::size_of::<std::hash::RandomState>()",
  "std::collections::HashMap": "std::mem::size_of::<std::collections::HashMap<u8, u8>>()",
};

function clippyBansBite() {
  const library = ["//! Planted faults.", ...Object.values(PLANTED).map((code, index) => `/// Planted.\npub fn planted_${index}() { let _ = ${code}; }`)];
  const arguments_ = ["--edition=2024", "--crate-type=lib", "--emit=metadata", `--out-dir=${scratch}`, "-Dclippy::disallowed_methods", "-Dclippy::disallowed_types", "-"];
  cpSync(join(root, "core/clippy.toml"), join(scratch, "clippy.toml"));
  const { stderr } = spawnSync("clippy-driver", arguments_, {
    cwd: root,
    encoding: "utf8",
    input: library.join("\n"),
    env: { ...process.env, CLIPPY_CONF_DIR: scratch },
  });
  const silent = Object.keys(PLANTED).filter((path) => !new RegExp(`disallowed (?:method|type) \`${path}\``).test(stderr));
  if (silent.length > 0) fail(`clippy does not refuse ${silent.join(", ")} in core:\n${stderr}`);
  console.log(`clippy refuses ${Object.keys(PLANTED).length} planted faults by core/clippy.toml`);
}

clippyBansBite();
importsNothing();
