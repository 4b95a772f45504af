// The Rust crate beside the crates that bring an SQLite of their own: a program links one, so all must agree on it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { clone, root, seeded } from "./support.mjs";

const lab = join(process.env.CUTOVER_RELEASE_LAB, "rust");
/** What was compiled is kept between runs, and shared. */
const env = { ...process.env, CARGO_TARGET_DIR: join(lab, "target") };
/** SQLite as an application compiles it: .cargo/config.toml of this tree leaves out what sqlx calls, and gives way to the environment. */
const ofApplication = { ...env, LIBSQLITE3_FLAGS: "" };

function cargo(cwd, ...args) {
  const { status, stdout, stderr } = spawnSync("cargo", args, { cwd, encoding: "utf8", env: ofApplication, maxBuffer: 1 << 28 });
  assert.equal(status, 0, `cargo ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

/** The versions of a crate in the lock file of a program. */
const versions = (cwd, name) =>
  JSON.parse(cargo(cwd, "metadata", "--format-version=1"))
    .packages.filter((found) => found.name === name)
    .map(({ version }) => version);

test("a program with diesel and sqlx upgrades, and all three read v2", () => {
  const program = join(root, "tests/release/beside");
  cargo(program, "build", "--quiet");
  assert.equal(versions(program, "libsqlite3-sys").length, 1);
  const said = execFileSync(join(lab, "target/debug/beside"), [seeded()], { encoding: "utf8" });
  assert.equal(said, 'Migrated ["milk", "bread"] ["milk", "bread"]\n');
});

const NEIGHBOURS = {
  "sqlx 0.9": 'sqlx = { version = "0.9", default-features = false, features = ["sqlite", "runtime-tokio"] }',
  "sea-orm 1": 'sea-orm = { version = "1", features = ["sqlx-sqlite", "runtime-tokio-rustls"] }',
  "refinery 0.8": 'refinery = { version = "0.8", features = ["rusqlite-bundled"] }',
  "refinery 0.9": 'refinery = { version = "0.9", features = ["rusqlite-bundled"] }',
  "tauri-plugin-sql 2": 'tauri-plugin-sql = { version = "2", features = ["sqlite"] }\ntauri = { version = "2", default-features = false, features = ["wry"] }',
};
/** The example of the guide. */
const TAURI = readFileSync(join(root, "docs/guide.md"), "utf8").split("```rust,ignore\n")[1].split("```")[0];
for (const [name, dependency] of Object.entries(NEIGHBOURS))
  test(`cutover compiles beside ${name}`, (t) => {
    const program = join(lab, name.replace(" ", "-"));
    mkdirSync(join(program, "src"), { recursive: true });
    writeFileSync(join(program, "src/lib.rs"), name.startsWith("tauri") ? TAURI : "pub use cutover::migrate;\n");
    const manifest = `[package]\nname = "neighbour"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\ncutover = { path = ${JSON.stringify(join(root, "runner"))} }\n${dependency}\n\n[workspace]\n`;
    writeFileSync(join(program, "Cargo.toml"), manifest);
    // On Linux Tauri wants the libraries of a desktop; for Windows it compiles without.
    const target = name.startsWith("tauri") ? ["--target=x86_64-pc-windows-gnu"] : [];
    cargo(program, "check", "--quiet", ...target);
    const [sqlite, ...more] = versions(program, "libsqlite3-sys");
    assert.deepEqual(more, []);
    t.diagnostic(`rusqlite ${versions(program, "rusqlite")}, libsqlite3-sys ${sqlite}`);
  });

test("the packed crates compile", () => {
  cargo(root, "package", "--quiet", "--allow-dirty", "--package=cutover-core", "--package=cutover-support", "--package=cutover");
});

/** The oldest that Cargo.toml takes; `npm test` runs with the newest. */
const OLDEST = "0.32.1";
test(`the tests of the runner pass with rusqlite ${OLDEST}`, () => {
  const oldest = clone(join(lab, "oldest"));
  cargo(oldest, "update", "--quiet", "--package=rusqlite", `--precise=${OLDEST}`);
  assert.deepEqual(versions(oldest, "rusqlite"), [OLDEST]);
  const args = ["scripts/rust-tests.mjs", "--package", "cutover"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: oldest, encoding: "utf8", env, maxBuffer: 1 << 28 });
  assert.equal(status, 0, stdout + stderr);
});
