// `npm start`: the main job on real input. Seeds a v1 database the way the old release leaves it, then boots the sample daemon on it.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bun, fail, root, setup } from "./setup.mjs";

const USAGE = "usage: npm start -- [--data-dir DIR] [--runtime node|bun] [--exit-when-ready]";

let options;
try {
  ({ values: options } = parseArgs({
    options: {
      "data-dir": { type: "string", default: join(root, ".demo") },
      runtime: { type: "string", default: "node" },
      "exit-when-ready": { type: "boolean", default: false },
    },
  }));
} catch (error) {
  fail(`${error.message}\n${USAGE}`);
}
const runtime = { node: process.execPath, bun }[options.runtime] ?? fail(USAGE);
setup();

const directory = resolve(process.env.INIT_CWD ?? ".", options["data-dir"]);
const program = (name) => join(root, "tests/dist/daemon", name);
if (!existsSync(join(directory, "data.db"))) {
  // A process of its own, which ends as the old release does when it is killed: with committed rows still in the -wal.
  const seed = spawnSync(process.execPath, [program("seed.js"), directory], { stdio: "inherit" });
  // Windows has no signals: there a process that kills itself ends with the status 1.
  if (process.platform === "win32" ? seed.status !== 1 : seed.signal !== "SIGKILL") fail("the old release's data could not be seeded");
}
const daemon = spawn(runtime, [program("main.js"), directory, ...(options["exit-when-ready"] ? ["--exit-when-ready"] : [])], {
  stdio: "inherit",
});
// To stop `npm start` is to stop the daemon. Ctrl-C reaches it directly; it is one process group.
process.on("SIGTERM", () => daemon.kill("SIGTERM"));
process.on("SIGINT", () => {});
daemon.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGTERM" || signal === "SIGINT" ? 0 : 1)));
