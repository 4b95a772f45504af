// The program of reader.test.mjs that reads rows of 200 MB one after the other, and tells its peak of
// resident memory: `iterate.mjs DATABASE`.
import { migrate } from "cutover";
import { build, made, options } from "./support.mjs";

const [path] = process.argv.slice(2);
const peak = () => process.resourceUsage().maxRSS * 1024;
const run = async (job) => {
  const before = peak();
  let [rows, bytes] = [0, 0];
  const blobs =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) SELECT randomblob(1000000) AS blob FROM n";
  for await (const { blob } of job.v1.iterate(blobs)) {
    rows += 1;
    bytes += blob.length;
  }
  console.log(JSON.stringify({ rows, bytes, before, peak: peak() }));
  await build(job);
};
await migrate(options(path, made(run)));
