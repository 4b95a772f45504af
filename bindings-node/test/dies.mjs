// The application that killed.test.mjs starts: it kills itself half way through one of its
// callbacks. `dies.mjs DATABASE KEYCHAIN DIES`, where DIES lists the callbacks `build`, `undo` and
// `cleanup`. It may also list `fails` (the build fails) and `older` (an older release writes to v1
// once v2 is built). The application prints its result as JSON.
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "cutover";
import { build, made, options, shell } from "./support.mjs";

const [path, keychain, list] = process.argv.slice(2);
const dies = list.split(" ");

/** Changes the keychain: removes one key, then dies here if it must, then removes the other key. */
async function remove(callback, keys, state, nonce) {
  appendFileSync(join(keychain, "calls"), `${callback} ${JSON.stringify(state)} ${nonce}\n`);
  rmSync(join(keychain, keys[0]), { force: true });
  await new Promise((resolve) => setImmediate(resolve));
  if (dies.includes(callback)) process.kill(process.pid, "SIGKILL");
  rmSync(join(keychain, keys[1]), { force: true });
}

const run = async (job) => {
  const keys = ["made-1", "made-2"].map((key) => `${key}-${job.nonce}`);
  await job.saveState({ made: keys, attempt: job.attempt });
  for (const key of keys) writeFileSync(join(keychain, key), "v2");
  if (dies.includes("build")) process.kill(process.pid, "SIGKILL");
  await build(job);
  if (dies.includes("older"))
    shell(path, "INSERT INTO notes(body) VALUES ('c'); DELETE FROM notes WHERE body = 'c'");
  if (dies.includes("fails")) throw new Error("no more keys");
  return { expect: { note: 2 } };
};

const result = await migrate(
  options(path, {
    ...made(run),
    undo: (state, { nonce }) => remove("undo", state.made, state, nonce),
    cleanup: (state, { nonce }) => remove("cleanup", ["old-1", "old-2"], state, nonce),
  }),
);
console.log(JSON.stringify(result));
