// Builds the addon of any platform on one Linux machine. Two builds of one commit are equal to the byte, wherever they are made.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { PLATFORMS } from "../bindings-node/platforms.mjs";
import { debianPackages, fail, root, run } from "./setup.mjs";

const tools = join(root, "target/release-tools");
/** From PyPI: zig is the compiler and linker of every other system, and cargo-zigbuild gives it to cargo. */
const TOOLS = ["ziglang==0.15.2", "cargo-zigbuild==0.24.1"];
/** The oldest glibc that Node 20 itself may meet is 2.28. */
const GLIBC = "2.17";

/** What an addon may have, bytes. The aim is 2,500,000: SQLite at O2 has 1,050,000 to 1,200,000, and what an unwinding panic needs 400,000. */
export const MOST = 3_700_000;

const environment = {
  PYTHONPATH: tools,
  PATH: `${join(tools, "bin")}${delimiter}${process.env.PATH}`,
  // napi-build wants to see the host's library, which is never imported: an addon finds the names of its host when it is loaded.
  LIBNODE_PATH: tools,
};

/** Installs what is missing: zig, the target's standard library, and mingw's compiler. */
export function crossTools(platforms) {
  const made = join(tools, "installed");
  if (!existsSync(made) || readFileSync(made, "utf8") !== TOOLS.join()) {
    console.log(`release tools: ${TOOLS.join(", ")}`);
    mkdirSync(tools, { recursive: true });
    run("python3", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", tools, ...TOOLS]);
    writeFileSync(made, TOOLS.join());
  }
  run("rustup", ["target", "add", ...platforms.map((platform) => PLATFORMS[platform].target)], { stdio: ["ignore", "ignore", "pipe"] });
  const mingw = "x86_64-w64-mingw32-gcc";
  if (platforms.includes("win32-x64")) {
    debianPackages({ [mingw]: "gcc-mingw-w64-x86-64-win32" });
    const stub = join(tools, "libnode.dll");
    if (!existsSync(stub)) run(mingw, ["-shared", "-o", stub, "-x", "c", "-"], { input: "void libnode(void) {}", stdio: ["pipe", "inherit", "inherit"] });
  }
}

/** A program of crates.io in the folder of the tools, compiled once. */
export function cargoTool(name, version, ...more) {
  const program = join(tools, "bin", name);
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (!stdout?.includes(version)) {
    console.log(`release tools: ${name} ${version}`);
    run("cargo", ["install", "--quiet", "--locked", `--root=${tools}`, `${name}@${version}`, ...more]);
  }
  return program;
}

/** Builds the addon of a platform below `directory`, and gives its path. `undefined`: it cannot be built here, and why was printed. */
export function crossBuild(platform, directory) {
  const { target, libc } = PLATFORMS[platform];
  // The lab for Windows tests what mingw links.
  const zig = platform !== "win32-x64";
  const flags = [...remapped(), ...(libc === "musl" ? ["-Ctarget-feature=-crt-static"] : []), ...(zig ? [] : ["-Clink-arg=-Wl,--no-insert-timestamp"])];
  const args = [
    zig ? "zigbuild" : "build",
    "--quiet",
    "--package=cutover-node",
    "--profile=addon",
    `--target=${target}${libc === "glibc" ? `.${GLIBC}` : ""}`,
    `--target-dir=${directory}`,
    "--message-format=json-render-diagnostics",
  ];
  // At O2 clang inlines so much that SQLite has 370 KB more, and no upgrade is measurably faster for it. What .cargo/config.toml has for Linux is said
  // again: it gives way to the environment.
  const cflags = [...(PLATFORMS[platform].os === "linux" ? ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"] : []), "-mllvm", "-inline-threshold=50"];
  const small = zig ? { [`CFLAGS_${target.replaceAll("-", "_")}`]: cflags.join(" ") } : {};
  const env = { ...process.env, ...environment, ...small, CARGO_ENCODED_RUSTFLAGS: flags.join("\x1f") };
  const { status, stdout } = spawnSync("cargo", args, { cwd: root, env, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) return undefined;
  const messages = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const { filenames } = messages.findLast((message) => message.target?.name === "cutover_node");
  return filenames.find((name) => /\.(so|dll|dylib)$/.test(name)) ?? fail(`${platform}: cargo made no library`);
}

/** Rust names the source file of a panic: without the paths of this machine. */
function remapped() {
  const { CARGO_HOME = join(homedir(), ".cargo") } = process.env;
  const sysroot = run("rustc", ["--print=sysroot"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
  const sources = [root, join(CARGO_HOME, "registry/src"), join(sysroot, "lib/rustlib/src/rust")];
  return sources.map((path) => `--remap-path-prefix=${path}=`);
}
