// What does not depend on the machine: flushes and written bytes, and the sizes of what is shipped.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { strace, sum } from "../campaign/strace.js";
import { scratch } from "../corpus/corpus.js";
import { child, Failed } from "./rounds.js";
import type { Row, Section } from "./table.js";
import { size, type Installed } from "./upgrades.js";
import type { V1 } from "./v1.js";

/** The calls of one contender, counted by strace, which slows it: so it is not timed. */
function counted(v1: V1, what: string, work: string, folder: string, made?: "made.db"): Row[] {
  const directory = scratch();
  const path = v1.copy(directory);
  const result = made ? join(directory, made) : path;
  const trace = strace(path);
  const { rows, rowBytes } = v1;
  try {
    child(work, { path, to: result, rows, rowBytes, folder }, trace.under);
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return [{ what, values: [], note: `cannot run: ${error.message}` }];
  }
  v1.checkV2(result);
  const v2 = statSync(result).size;
  const { flushes, bytes } = trace.counts();
  rmSync(directory, { recursive: true });
  const over = sum(bytes) - v2;
  return [
    { what: `${what}: syncs`, values: [sum(flushes)], unit: "calls" },
    {
      what: `${what}: bytes written`,
      values: [sum(bytes)],
      unit: "B",
      note: `v2 ${over < 0 ? "-" : "+"} ${Math.round(Math.abs(over) / 1000)} KB`,
    },
  ];
}

export function* costSections(all: V1[], { folder }: Installed): Generator<Section> {
  for (const [at, v1] of all.entries()) {
    const mode = at === 0 ? "WAL" : "rollback";
    const title = `syncs and bytes, ${size(v1)}, v1 in ${mode} mode`;
    if (process.platform !== "linux" || spawnSync("strace", ["-V"]).error) {
      yield { title, rows: [{ what: "all", values: [], note: "needs strace, on Linux" }] };
      continue;
    }
    const rows = [
      counted(v1, "sqlite3 shell", "shellSql", folder, "made.db"),
      counted(v1, "cutover { sql }", "sql", folder),
      counted(v1, "drizzle in place", "drizzleInPlace", folder),
      counted(v1, "as applications write it", "application", folder),
      counted(v1, "cutover, a callback", "callback", folder),
    ].flat();
    yield { title, rows: rows.map((row) => ({ ...row, compared: false })) };
  }
}

/** The sizes of the packages as npm packs them, and of what they hold. */
export function sizeSection(root: string): Section {
  const bytes = (what: string, value: number): Row => ({
    what,
    values: [value],
    unit: "B",
    compared: false,
    note: `${value} bytes`,
  });
  const gzip = (path: string) => gzipSync(readFileSync(path), { level: 9 }).length;
  const modules = join(root, "bindings-node/node_modules");
  const packages = readdirSync(modules).filter((name) => name.startsWith("cutover-"));
  const wasm = join(root, "bindings-wasm/dist/wasm");
  const rows = packages.flatMap((name) => {
    const addon = join(modules, name, "cutover.node");
    return existsSync(addon)
      ? [bytes(`addon of ${name}`, statSync(addon).size), bytes("  gzip", gzip(addon))]
      : [];
  });
  for (const room of ["bindings-node", "bindings-wasm"]) {
    const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
    const { stdout } = spawnSync("npm", args, {
      cwd: join(root, room),
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    const [{ name, size, unpackedSize }] = JSON.parse(stdout) as [
      { name: string; size: number; unpackedSize: number },
    ];
    rows.push(bytes(`tarball of ${name}`, size), bytes("  unpacked", unpackedSize));
  }
  for (const name of readdirSync(wasm).filter((name) => name.endsWith(".wasm")))
    rows.push(bytes(`${name}, gzip`, gzip(join(wasm, name))));
  return { title: "sizes", rows };
}
