// An application with a command line of its own: `cli-app.mjs DATABASE WORD...`. The environment
// says what happens: DIE_AT (it kills itself before that step), HOLD_ON and HOLD_AT (it holds the
// run at an event of that type and op until a signal arrives, or, with HOLD_FOREVER, for good),
// DETECT (fails, or what it says), WAIT_MS, COMPANION.
import { migrate } from "cutover";
import { main } from "cutover/cli";
import { options } from "./support.mjs";

const [path, ...words] = process.argv.slice(2);
const { DIE_AT, HOLD_ON, HOLD_AT, HOLD_FOREVER, DETECT, WAIT_MS, COMPANION } = process.env;

const stopped = new Promise((resolve) => {
  if (HOLD_ON && !HOLD_FOREVER)
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, resolve);
});
let steps = 0;
const migrateOptions = options(path, {
  ...(COMPANION && { companions: { auth: COMPANION } }),
  ...(WAIT_MS && { waitMs: Number(WAIT_MS) }),
  ...(DETECT && {
    detect: () => {
      if (DETECT === "fails") throw new Error("the application is ill");
      return DETECT;
    },
  }),
  async onEvent({ type, op, doneBytes }) {
    if (type === "step" && steps++ === Number(DIE_AT ?? -1)) process.kill(process.pid, "SIGKILL");
    if (type === HOLD_ON && op === HOLD_AT && doneBytes !== 0) await stopped;
  },
});

if (words[0] === "upgrade") await migrate(migrateOptions);
else process.exitCode = await main(words, { name: "myapp db", migrate: migrateOptions });
