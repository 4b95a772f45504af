// Makes dist: the types; one CommonJS file for each entry and one for what they share, since each
// file costs a program that imports the package a part of a millisecond; and the pure functions as
// CommonJS modules that contain their WebAssembly, so that every bundler takes them.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { rolldown } from "rolldown";

const directory = fileURLToPath(new URL(".", import.meta.url));
const dist = join(directory, "dist");

rmSync(dist, { recursive: true, force: true });
const compiler = createRequire(import.meta.url).resolve("typescript/package.json");
const { status } = spawnSync(
  process.execPath,
  [join(compiler, "../bin/tsc"), "--project", directory],
  { stdio: "inherit" },
);
if (status !== 0) process.exit(1);
copyFileSync(join(directory, "../core/schema/generated.d.ts"), join(dist, "generated.d.ts"));

/** Stands first in each file: a Node that is too old is refused before anything is loaded. */
const REFUSAL = `if (Number.parseInt(process.versions.node, 10) < 20)
  throw new Error(\`cutover needs Node 20 or newer, or Bun; this is Node \${process.versions.node}\`);`;

const platforms = readdirSync(join(directory, "ts/platforms")).map((file) => `platforms/${file}`);
const own = ["index.ts", "pure.ts", "cli.ts", "cli/main.ts", "testing.ts", "testing/child.ts"];
const entries = [...own, ...platforms];
const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
const bundle = await rolldown({
  input: Object.fromEntries(
    entries.map((file) => [file.replace(/\.ts$/, ""), join(directory, "ts", file)]),
  ),
  cwd: directory,
  platform: "node",
  external: [/^node:/, /^cutover-/, /\/wasm\/cutover_wasm/],
  resolve: { extensionAlias: { ".js": [".ts"] } },
  transform: { define: { VERSION: JSON.stringify(version) } },
});
const { output } = await bundle.write({
  dir: dist,
  format: "cjs",
  chunkFileNames: "[name].js",
  banner: REFUSAL,
  codeSplitting: {
    groups: [
      { name: "shared", test: /\/ts\/(?!platforms|cli|testing|pure\.ts)/ },
      { name: "cli/command", test: /\/ts\/cli\/(?!main)|node_modules/ },
    ],
  },
});
chmodSync(join(dist, "cli/main.js"), 0o755);
copyFileSync(join(directory, "cli.schema.json"), join(dist, "cli.schema.json"));
writeFileSync(
  join(dist, "cli/licenses.txt"),
  licenses(output.flatMap(({ moduleIds }) => moduleIds ?? [])),
);

const made = join(directory, "../bindings-wasm/script");
const wasm = join(dist, "wasm");
mkdirSync(wasm);
for (const name of ["cutover_wasm", "cutover_wasm_diagnose", "cutover_wasm_explorer"]) {
  const bytes = readFileSync(join(made, `${name}_bg.wasm`));
  const params = { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const packed = brotliCompressSync(bytes, { params }).toString("base64");
  const script = readFileSync(join(made, `${name}.js`), "utf8");
  writeFileSync(
    join(wasm, `${name}.js`),
    `${script}\nexports.script = wasm_bindgen;\nexports.packed = "${packed}";\n`,
  );
}

/** What the packages that the bundle contains are licensed under. */
function licenses(modules) {
  const folders = modules.flatMap(
    (id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replaceAll("\\", "/")) ?? [],
  );
  const notices = [...new Set(folders)].sort().map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return `The command line (dist/cli/command.js) contains these packages.\n\n${notices.join(`\n${"-".repeat(72)}\n\n`)}`;
}
