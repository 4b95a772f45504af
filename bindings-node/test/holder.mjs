// The process that companions.test.mjs starts: an upgrade whose build never ends.
// `holder.mjs DATABASE COMPANION`.
import { migrate } from "cutover";
import { made, options } from "./support.mjs";

const [path, auth] = process.argv.slice(2);
const run = () => {
  process.stdout.write("begun");
  return new Promise(() => setInterval(() => {}, 1 << 30));
};
await migrate(options(path, { ...made(run), companions: { auth } }));
