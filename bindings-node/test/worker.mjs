// The worker of worker.test.mjs.
import { parentPort, workerData } from "node:worker_threads";
import { lock, migrate } from "cutover";
import { build, made, options } from "./support.mjs";

const { work, path } = workerData;
const begun = () => parentPort.postMessage("begun");
const never = () => new Promise(() => {});
/** Until this thread is terminated nothing else runs on it. */
const stand = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
const SLOW =
  "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 3000000) SELECT sum(n) FROM c;";
const ENDLESS =
  "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c;";

switch (work) {
  case "migrate":
    parentPort.postMessage(
      await migrate(
        options(
          path,
          made((job) => job.v1.all("SELECT 1").then(() => build(job))),
        ),
      ),
    );
    break;
  case "build":
    await migrate(
      options(
        path,
        made(() => (begun(), never())),
      ),
    );
    break;
  case "reading":
    await migrate(
      options(
        path,
        made((job) => (void job.v1.all(SLOW).catch(() => {}), begun(), never())),
      ),
    );
    break;
  case "event":
    await migrate(
      options(path, {
        onEvent: ({ type, op }) => {
          if (type !== "step" || op !== "settle") return;
          begun();
          stand();
        },
      }),
    );
    break;
  case "sql":
    await migrate(
      options(path, {
        make: { from: "empty", run: { sql: ENDLESS } },
        onEvent: ({ type, op }) => void (type === "step" && op === "build-sql" && begun()),
      }),
    );
    break;
  case "lock":
    await lock(path);
    begun();
    setInterval(() => {}, 1 << 30);
    break;
  case "locking":
    void lock(path);
    begun();
    // The lock comes while this thread does not run JavaScript.
    stand();
}
