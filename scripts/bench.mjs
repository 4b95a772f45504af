// `npm run bench [-- --quick] [-- --plot]`: cutover beside its peers. The addon is built for release: that is what is measured.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { debianPackages, fail, npmInstall, root, run, rustTargets } from "./setup.mjs";

const options = {
  quick: { type: "boolean", default: false }, // 1 and 20 MB and few rounds
  plot: { type: "boolean", default: false }, // writes docs/bench.svg
};
try {
  parseArgs({ options });
} catch (error) {
  fail(`${error.message}\nnpm run bench takes ${Object.keys(options).map((name) => `--${name}`).join(" and ")}: npm run bench -- --quick`);
}

const shell = process.platform === "win32";
npmInstall();
rustTargets();
if (process.platform === "linux") debianPackages({ sqlite3: "sqlite3", strace: "strace" });
run("npm", ["run", "--silent", "build", "--workspace", "cutover"], { shell });
run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", "tests"]);
// On the disk of the clone: the temporary files of many systems are in memory, where a flush costs nothing.
const scratch = join(root, "target/bench");
mkdirSync(scratch, { recursive: true });
const env = { ...process.env, TMPDIR: process.env.TMPDIR ?? scratch };
run(process.execPath, [join(root, "tests/dist/bench/bench.js"), peers(), ...process.argv.slice(2)], { env });

/** Where the peers are that no workspace depends on. Without them the bench says so in their rows. */
function peers() {
  const folder = join(root, "target/bench-peers");
  if (existsSync(join(folder, "node_modules/.package-lock.json"))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true, "allowScripts": { "better-sqlite3": true } }\n');
  const drizzle = JSON.parse(readFileSync(join(root, "tests/package.json"), "utf8")).dependencies["drizzle-orm"];
  // 13 needs Node 22. Where its addon has to be compiled, the headers beside Node save their download.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, "include/node/node_api.h")) ? { npm_config_nodedir: prefix } : {};
  const args = ["install", "--no-audit", "--no-fund", "--no-workspaces", "better-sqlite3@12", `drizzle-orm@${drizzle}`];
  console.log(`bench: npm ${args.join(" ")}`);
  spawnSync("npm", args, { cwd: folder, stdio: "inherit", shell, env: { ...process.env, ...headers } });
  return folder;
}
