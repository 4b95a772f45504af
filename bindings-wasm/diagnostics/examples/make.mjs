// Makes src/examples.json: directories after real upgrades, kills and mishaps, with what the
// doctor, the planner and the errors say of them. The addon judges each here; the expected verdict
// stands beside it, written by hand.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listBackups, lock, migrate } from "cutover";
import { diagnose, plan, readWal } from "cutover/pure";
import {
  betweenRenames,
  bundle,
  doctor,
  home,
  killedUpgrade,
  killedWriter,
  options,
  overwrite,
  seed,
  upgraded,
} from "./scenes.mjs";

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.message.replaceAll(home, "~");
  }
  assert.fail("the upgrade was not refused");
}
const names = (path) => readdirSync(join(path, "..")).sort();
/** A folder as the page reads it: names, sizes, texts, headers. */
async function folder(path) {
  const files = [];
  for (const name of names(path)) {
    const bytes = readFileSync(join(path, "..", name));
    const file = { name, size: bytes.length };
    if (name.endsWith(".json")) file.text = bytes.toString();
    else if (name.endsWith("-wal")) file.wal = await readWal(bytes);
    else if (!/-(shm|journal|lock)$/.test(name))
      file.head = bytes.subarray(0, 4096).toString("hex");
    files.push(file);
  }
  return { files, wholeFolder: true };
}
/** The observation in the bundle, from which the examples of plans are made. */
const observed = (path) => JSON.parse(doctor(path)).observation;
const request = (more = {}) => ({
  label: "v1-v2",
  nonce: "3fa9c1d2",
  nowMs: 1782718800000,
  attempt: 1,
  from: "empty",
  by: "sql",
  verify: false,
  checkV1: true,
  ...more,
});

const all = [];
const example = (id, expected, title, about, given) => {
  const { safety, kind } = diagnose(given);
  assert.equal(safety, expected, `${id}: ${JSON.stringify(diagnose(given)).slice(0, 600)}`);
  all.push({ id, title, about, given });
  console.log(`${safety.padEnd(12)} ${kind.padEnd(8)} ${id}`);
};

const v1 = seed();
const v2 = await upgraded();
example(
  "upgraded",
  "safe",
  "The upgrade went well",
  "The doctor's bundle of the folder after the upgrade: v2 is canonical, v1 is a backup.",
  bundle(v2),
);
example("before", "safe", "Not upgraded yet", "The bundle of a sound v1.", bundle(v1));

const killed = seed();
killedUpgrade(killed);
example(
  "killed",
  "safe",
  "Killed while v2 was built",
  "The bundle after a power loss: a journal, half a v2, and a sound v1.",
  bundle(killed),
);

const walled = seed();
killedWriter(walled);
example(
  "log-bundle",
  "safe",
  "Killed with rows in the log",
  "The bundle of a database whose last rows are only in its -wal.",
  bundle(walled),
);
example(
  "log-folder",
  "cannot-tell",
  "Rows in the log, as a folder",
  "Names, sizes and headers prove no page; the doctor's bundle would.",
  await folder(walled),
);

const between = await betweenRenames();
example(
  "between-renames",
  "cannot-tell",
  "Stopped between two renames",
  "A release without cutover stopped at an instant when there is no data.db.",
  bundle(between),
);

const damaged = seed();
overwrite(damaged, 4096 + 40, "x".repeat(9000));
example(
  "damaged",
  "not-safe",
  "Pages are overwritten",
  "SQLite finds the database damaged.",
  bundle(damaged),
);

const other = seed();
writeFileSync(other, "<html><body>503 Service Unavailable</body></html>\n".repeat(200));
example(
  "not-a-database",
  "not-safe",
  "Another file replaced it",
  "A synchronising tool put a web page in place of data.db.",
  bundle(other),
);

const gone = await upgraded();
rmSync(gone);
example(
  "gone",
  "not-safe",
  "A person removed data.db",
  "Only the backup is left. A start now would make a new, empty database.",
  bundle(gone),
);

const orphan = seed();
killedWriter(orphan);
rmSync(orphan);
example(
  "orphan-log",
  "not-safe",
  "Only the log is left",
  "A person moved data.db away; its -wal stayed, with committed rows.",
  await folder(orphan),
);

const cut = await upgraded();
truncateSync(cut, 4096);
example(
  "cut",
  "not-safe",
  "The copy is cut short",
  "An upload of the folder broke off: the header names more pages than the file has.",
  await folder(cut),
);

const held = seed();
const holder = spawn("sqlite3", [held], { stdio: ["pipe", "pipe", "inherit"] });
holder.stdin.write("SELECT count(*) FROM notes;\n");
await new Promise((resolve) => holder.stdout.once("data", resolve));
const heldBundle = bundle(held);
holder.kill();
example(
  "held",
  "cannot-tell",
  "The application still runs",
  "A program had the database open when the doctor wrote the bundle.",
  heldBundle,
);

example(
  "eperm",
  "cannot-tell",
  "EPERM … fsync",
  "A line of a log, from a release without cutover on Windows.",
  { text: "EPERM: operation not permitted, fsync" },
);
const owned = seed();
const owner = await lock(owned);
example(
  "owned",
  "cannot-tell",
  "The application runs already",
  "A message of cutover, with its short code at the end.",
  { text: await refused(migrate(options(owned))) },
);
owner.release();
example(
  "corrupt-message",
  "not-safe",
  "v1 was damaged before the upgrade",
  "A message of cutover: the upgrade refused to build from a damaged v1.",
  { text: await refused(migrate(options(damaged))) },
);
example("code", "cannot-tell", "Only a short code", "What a customer read on the screen.", {
  text: "#IO:fsync:EIO",
});

const linked = plan(observed(v1), request());
example("plan", "safe", "A plan", "The upgrade as cutover plans it: link v1, then replace it.", {
  text: JSON.stringify(linked, null, 2),
});
const copied = plan({ ...observed(v1), canLink: false }, request({ by: "host", verify: true }));
example(
  "plan-page-copy",
  "safe",
  "A plan without hard links",
  "On exFAT SQLite copies v2 into data.db, in one transaction.",
  { text: JSON.stringify(copied, null, 2) },
);
const flush = linked.steps.findIndex(
  ({ do: op }, at) =>
    at < linked.flipAt && op.op === "sync-dir" && linked.steps[at - 1].do.op === "link",
);
const without = {
  ...linked,
  steps: linked.steps.toSpliced(flush, 1),
  flipAt: linked.flipAt - 1,
  cleanupFrom: linked.cleanupFrom - 1,
};
example(
  "plan-unflushed",
  "not-safe",
  "A plan without one flush",
  "The directory fsync between the hard link and the flip is missing.",
  { text: JSON.stringify(without, null, 2) },
);

const journal = names(killed).find((name) => name.endsWith("-cutover.json"));
example(
  "journal",
  "cannot-tell",
  "A journal alone",
  "The files beside the journal decide, and are not here.",
  { text: readFileSync(join(killed, "..", journal), "utf8") },
);
const [backup] = await listBackups(v2);
example(
  "receipt",
  "cannot-tell",
  "A receipt alone",
  "The receipt says what the backup should be; the backup is not here.",
  { text: readFileSync(`${join(v2, "..", backup.name)}.json`, "utf8") },
);
example(
  "newer",
  "cannot-tell",
  "A bundle of a newer release",
  "This page does not know the version of the bundle, and does not guess.",
  { text: JSON.stringify({ ...JSON.parse(doctor(v1)), version: 2 }) },
);

const text = JSON.stringify(all, null, 1);
assert.ok(
  !text.includes(home) && !text.includes(tmpdir() + "/"),
  "a path of this machine is in it",
);
writeFileSync(new URL("../src/examples.json", import.meta.url), `${text}\n`);
console.log(`${all.length} examples, ${text.length} bytes`);
