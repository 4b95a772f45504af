// The legacy daemon began an upgrade and did not end it. For each phase of its journal (version 1)
// cutover finishes or undoes the upgrade. A number in brackets is a fault of the daemon: see
// tests/README.md.
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { differences, expectedV2, facts, shell } from "../corpus/compare.js";
import { copySet, corpus, scratch, seed } from "../corpus/corpus.js";
import { start, v2Of } from "./upgrade.js";

const NONCE = "0badcafe";
const MS = 1_700_000_000_000;
const V1 = seed("libsql", "wal");
const SETTLED = (() => {
  const path = copySet(V1);
  shell(path, "PRAGMA journal_mode=DELETE;");
  return path;
})();
const V2 = expectedV2(V1, corpus("v2.sql"));

interface Legacy {
  database: string;
  name: Record<"source" | "staging" | "backup" | "authBackup" | "journal", string>;
  /** Writes the journal; `elsewhere` is the directory that its paths name. */
  journal(phase: string, elsewhere?: string): void;
}

/**
 * A directory at the start of a legacy upgrade: v1 settled into a private source, auth.json backed
 * up.
 */
function legacy(): Legacy {
  const directory = scratch();
  const at = (name: string) => join(directory, name);
  const name = {
    source: at(`data.db.source-${NONCE}`),
    staging: at(`data.db.building-${NONCE}`),
    backup: at(`data.db.v1-v2-${MS}-${NONCE}`),
    authBackup: at(`auth.json.v1-v2-${NONCE}`),
    journal: at("data.db.v1-v2-migration.json"),
  };
  const database = copySet(V1, directory);
  copyFileSync(SETTLED, name.source);
  writeFileSync(at("auth.json"), "v1 secret");
  copyFileSync(at("auth.json"), name.authBackup);
  const journal = (phase: string, elsewhere = directory) => {
    const to = (path: string) => path.replace(directory, elsewhere);
    const paths = {
      source: to(database),
      normalizedSource: to(name.source),
      staging: to(name.staging),
      backup: to(name.backup),
    };
    const auth = {
      authPath: to(at("auth.json")),
      authBackup: to(name.authBackup),
      authExisted: true,
    };
    writeFileSync(
      name.journal,
      JSON.stringify({ version: 1, ...paths, ...auth, nonce: NONCE, phase }),
      { mode: 0o600 },
    );
  };
  return { database, name, journal };
}

/** v1 as the legacy daemon moves it: settled, under the name of the backup. */
function moved({ database, name }: Legacy): void {
  for (const suffix of ["-wal", "-shm"]) rmSync(database + suffix, { force: true });
  copyFileSync(SETTLED, name.backup);
  rmSync(database);
}

function assertOver(
  database: string,
  {
    v1 = facts(SETTLED),
    v2 = facts(V2, { withoutFtsIndex: true }),
    auth = "v2 of v1 secret",
    kept = [] as string[],
  } = {},
): void {
  const directory = dirname(database);
  assert.deepEqual(
    differences(v2, facts(database, { withoutFtsIndex: true })),
    [],
    "v2 is not whole",
  );
  const names = readdirSync(directory);
  const backup = names.find((name) => /^data\.db\.v1-v2-\d{13}-[0-9a-f]{8}$/.test(name)) ?? "";
  assert.deepEqual(differences(v1, facts(join(directory, backup))), [], "the backup is not v1");
  assert.equal(readFileSync(join(directory, "auth.json"), "utf8"), auth);
  const expected = [
    "auth.json",
    "auth.json.cutover-lock",
    `auth.json.v1-v2-${backup.slice(-8)}`,
    "data.db",
    "data.db.cutover-lock",
    "data.db.owner-lock",
    backup,
    `${backup}.json`,
    ...kept,
  ];
  assert.deepEqual(names.sort(), expected.sort());
}

test("building: the start undoes the upgrade, restores auth.json, then upgrades", () => {
  const it = legacy();
  writeFileSync(it.name.staging, readFileSync(V2).subarray(0, 5000));
  writeFileSync(join(dirname(it.database), "auth.json"), "half of v2's secr");
  it.journal("building");
  const { result } = start(it.database, "host");
  assert.deepEqual([result?.outcome, result?.recovery], ["migrated", "undone"]);
  // [6] The start keeps the content that the backup replaced.
  const displaced = `auth.json.displaced-${NONCE}`;
  assertOver(it.database, { kept: [displaced] });
  assert.equal(readFileSync(join(dirname(it.database), displaced), "utf8"), "half of v2's secr");
});

test("[5] building, before there is a staging file: the start does not restore a torn backup of auth.json", () => {
  const it = legacy();
  writeFileSync(it.name.authBackup, "");
  it.journal("building");
  start(it.database, "host");
  // It stays, because it differs from the file, and was not put back.
  assertOver(it.database, { kept: [`auth.json.v1-v2-${NONCE}`] });
});

test("[2] built, then an older release wrote to v1: the start does not install the stale v2", () => {
  const it = legacy();
  copyFileSync(V2, it.name.staging);
  it.journal("built");
  shell(it.database, "INSERT INTO authors VALUES (77, 'written after the crash');");
  const [v1, v2] = [facts(it.database), v2Of(it.database, "host")];
  const { result } = start(it.database, "host");
  assert.equal(result?.recovery, "undone");
  assertOver(it.database, { v1, v2, kept: [`auth.json.displaced-${NONCE}`] });
});

test("canonical-moved, canonical missing: the start installs the verified staging, and names the backup", () => {
  const it = legacy();
  copyFileSync(V2, it.name.staging);
  moved(it);
  writeFileSync(join(dirname(it.database), "auth.json"), "v2 secret, written in place");
  it.journal("canonical-moved");
  const { result } = start(it.database, "host");
  // [24] The result names the backup.
  assert.deepEqual(
    [result?.outcome, result?.recovery, result?.backup],
    ["migrated", "finished", it.name.backup],
  );
  assertOver(it.database, { auth: "v2 secret, written in place" });
});

test("canonical-moved with the -wal of v1 left behind: the start moves v1 back to it, and upgrades every row", () => {
  const it = legacy();
  copyFileSync(V2, it.name.staging);
  renameSync(it.database, it.name.backup);
  it.journal("canonical-moved");
  const { result } = start(it.database, "sql");
  assert.deepEqual(
    [result?.outcome, result?.recovery],
    ["migrated", "undone"],
    JSON.stringify(result),
  );
  assert.ok(!existsSync(it.name.backup));
  assert.deepEqual(differences(facts(V1), facts(result?.backup ?? "")), []);
  assert.deepEqual(
    differences(
      facts(V2, { withoutFtsIndex: true }),
      facts(it.database, { withoutFtsIndex: true }),
    ),
    [],
  );
  assert.ok(!existsSync(`${it.database}-wal`));
});

for (const [what, spoil] of Object.entries({
  "is empty": (staging: string) => writeFileSync(staging, ""),
  "is torn": (staging: string) => writeFileSync(staging, readFileSync(V2).subarray(0, 50_000)),
  "is still v1": (staging: string) => copyFileSync(SETTLED, staging),
  "is missing": (staging: string) => rmSync(staging),
})) {
  test(`[4] canonical-moved, and staging ${what}: the start moves v1 back and upgrades again`, () => {
    const it = legacy();
    copyFileSync(V2, it.name.staging);
    moved(it);
    spoil(it.name.staging);
    it.journal("canonical-moved");
    const { result } = start(it.database, "host");
    assert.deepEqual(
      [result?.outcome, result?.recovery],
      ["migrated", "undone"],
      JSON.stringify(result),
    );
    assertOver(it.database, { kept: [`auth.json.displaced-${NONCE}`] });
  });
}

test("[1] canonical-moved, and an older release made a data.db in the gap: the start sets it aside", () => {
  const it = legacy();
  copyFileSync(V2, it.name.staging);
  moved(it);
  shell(it.database, "CREATE TABLE notes(id); INSERT INTO notes VALUES ('made in the gap');");
  it.journal("canonical-moved");
  start(it.database, "host");
  const displaced = `data.db.displaced-${NONCE}`;
  assertOver(it.database, { auth: "v1 secret", kept: [displaced] });
  assert.deepEqual(shell(join(dirname(it.database), displaced), "SELECT id FROM notes;"), [
    "made in the gap",
  ]);
});

test("canonical-moved, but v2 is canonical already: the start commits and cleans up", () => {
  const it = legacy();
  moved(it);
  copyFileSync(V2, it.database);
  it.journal("canonical-moved");
  const { result } = start(it.database, "host");
  assert.deepEqual([result?.outcome, result?.backup], ["migrated", it.name.backup]);
  assertOver(it.database, { auth: "v1 secret" });
});

test("committed: the start removes the remaining files, also after the application wrote to v2", () => {
  const it = legacy();
  moved(it);
  copyFileSync(V2, it.database);
  shell(it.database, "INSERT INTO people VALUES (88, 'written to v2');");
  const v2 = facts(it.database, { withoutFtsIndex: true });
  it.journal("committed");
  const { result } = start(it.database, "host");
  assert.equal(result?.backup, it.name.backup);
  assertOver(it.database, { v2, auth: "v1 secret" });
});

test("[3] the directory moved between the crash and the start: the start uses the files beside the journal, not those at its paths", () => {
  const it = legacy();
  copyFileSync(V2, it.name.staging);
  moved(it);
  const elsewhere = legacy();
  it.journal("canonical-moved", dirname(elsewhere.database));
  const before = readdirSync(dirname(elsewhere.database)).map((name) => [
    name,
    readFileSync(join(dirname(elsewhere.database), name)).toString("base64"),
  ]);
  const { result } = start(it.database, "host");
  assert.equal(result?.backup, it.name.backup);
  assertOver(it.database, { auth: "v1 secret" });
  const after = readdirSync(dirname(elsewhere.database)).map((name) => [
    name,
    readFileSync(join(dirname(elsewhere.database), name)).toString("base64"),
  ]);
  assert.deepEqual(after, before);
});

test("the start sets an unreadable legacy journal beside a whole v1 aside", () => {
  const it = legacy();
  writeFileSync(it.name.journal, "{ torn");
  const { result } = start(it.database, "sql");
  assert.deepEqual([result?.outcome, result?.recovery], ["migrated", "set-aside"]);
  const aside = readdirSync(dirname(it.database)).filter((name) => name.includes(".aside-"));
  assert.equal(aside.length, 1);
  // The start keeps the other files of a lost journal.
  assert.ok(existsSync(it.name.source));
});
