// A process dies half way through the undo or cleanup of the application, and so does the next
// start. The start after them calls the callback again with the saved state.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { listBackups, recover } from "cutover";
import { assertUntouched, assertUpgraded, options, seed, shell, V1 } from "./support.mjs";

const program = fileURLToPath(new URL("dies.mjs", import.meta.url));

/** A v1 in WAL mode, and a keychain with the keys that v1 has. */
function begin() {
  const keychain = seed(null).directory;
  for (const key of ["old-1", "old-2"]) writeFileSync(join(keychain, key), "v1");
  return { ...seed(`PRAGMA journal_mode=WAL; ${V1}`), keychain };
}

/**
 * Starts the application; `dies` says where it kills itself. Returns the result of a start that
 * ends.
 */
function start({ path, keychain }, dies) {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [program, path, keychain, dies],
    { encoding: "utf8" },
  );
  // Windows has no signals: the process ends with a status there, and prints nothing.
  const killed =
    signal === "SIGKILL" ||
    (process.platform === "win32" && status !== 0 && stdout === "" && stderr === "");
  assert.equal(killed, dies !== "", `it ended with ${signal ?? status}: ${stdout}${stderr}`);
  return killed ? undefined : JSON.parse(stdout.trim());
}

const keys = ({ keychain }) =>
  readdirSync(keychain)
    .filter((name) => name !== "calls")
    .sort();

/** `[callback, state, nonce]` of each call of undo and cleanup. */
function calls({ keychain }) {
  const lines = readFileSync(join(keychain, "calls"), "utf8").trim().split("\n");
  return lines
    .map((line) => line.split(" "))
    .map(([callback, state, nonce]) => [callback, JSON.parse(state), nonce]);
}

/** Checks that v1 is canonical with every row. */
function assertWhole({ path }) {
  assert.equal(
    shell(
      path,
      "PRAGMA user_version; SELECT group_concat(body) FROM notes; PRAGMA integrity_check",
    ),
    "1\na,b\nok",
  );
}

/** Checks v2, the backup of v1 with its receipt, the locks, and the keys of this upgrade. */
async function assertOver(place, { outcome, recovery, backup, warnings }, how) {
  assert.deepEqual([outcome, recovery, warnings], [...how, []]);
  assertUpgraded(place);
  assert.equal(
    shell(backup, "SELECT group_concat(body) FROM notes; PRAGMA integrity_check"),
    "a,b\nok",
  );
  const name = basename(backup);
  assert.deepEqual(
    place.names().filter((name) => !name.endsWith("-lock")),
    ["data.db", name, `${name}.json`],
  );
  assert.deepEqual(
    (await listBackups(place.path)).map(({ whole }) => whole),
    [true],
  );
  const nonce = name.slice(-8);
  assert.deepEqual(keys(place), [`made-1-${nonce}`, `made-2-${nonce}`]);
  const before = [place.names(), calls(place).length];
  assert.equal(start(place, "").outcome, "current");
  assert.deepEqual([place.names(), calls(place).length], before, "nothing is left to be asked");
}

// Three cases of undo: in the attempt whose build failed, in the attempt whose v1 changed, and in
// the recovery after a process that died in its build.
for (const [whose, phase, starts] of [
  ["an attempt's own", "building", ["fails undo", "undo"]],
  ["an attempt's own (built)", "built", ["older undo", "undo"]],
  ["a recovery's", "building", ["build", "undo", "undo"]],
]) {
  const killedTwice = () => {
    const place = begin();
    for (const dies of starts) {
      start(place, dies);
      assertWhole(place);
      // The journal records v2 again if the removal of v2 cannot be flushed.
      const said = process.platform === "win32" ? "building" : phase;
      assert.equal(
        JSON.parse(readFileSync(`${place.path}.v1-v2-cutover.json`, "utf8")).phase,
        said,
      );
    }
    const [[, , nonce]] = calls(place);
    assert.deepEqual(keys(place), [`made-2-${nonce}`, "old-1", "old-2"]);
    const asked = ["undo", { made: [`made-1-${nonce}`, `made-2-${nonce}`], attempt: 1 }, nonce];
    assert.deepEqual(calls(place), [asked, asked]);
    return { place, asked };
  };

  test(`a kill in ${whose} undo and a kill in the undo of the next start: the start after them undoes all of it, and upgrades`, async () => {
    const { place, asked } = killedTwice();
    await assertOver(place, start(place, ""), ["migrated", "undone"]);
    const [third, [callback, { attempt }, nonce], ...more] = calls(place).slice(2);
    assert.deepEqual([third, callback, attempt, more], [asked, "cleanup", 2, []]);
    assert.notEqual(nonce, asked[2]);
  });

  test(`a kill in ${whose} undo and a kill in the undo of the next start: v1 is as it was once a start ends`, async () => {
    const { place, asked } = killedTwice();
    const undone = [];
    const { recovery, backup, warnings } = await recover(
      options(place.path, { undo: (state, { nonce }) => void undone.push("undo", state, nonce) }),
    );
    assert.deepEqual([recovery, backup, warnings, undone], ["undone", null, [], asked]);
    assert.equal(shell(place.path, "PRAGMA journal_mode"), "wal");
    assertUntouched(place);
  });
}

test("a kill in cleanup and a kill in the cleanup of the next start: v2 is canonical, and the start after them cleans up", async () => {
  const place = begin();
  for (const dies of ["cleanup", "cleanup"]) {
    start(place, dies);
    assertUpgraded(place);
    const [[, , nonce]] = calls(place);
    assert.deepEqual(keys(place), [`made-1-${nonce}`, `made-2-${nonce}`, "old-2"]);
  }
  await assertOver(place, start(place, ""), ["current", "cleaned"]);
  const [[, , nonce]] = calls(place);
  const asked = ["cleanup", { made: [`made-1-${nonce}`, `made-2-${nonce}`], attempt: 1 }, nonce];
  assert.deepEqual(calls(place), [asked, asked, asked]);
});
