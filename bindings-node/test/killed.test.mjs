// The process is killed half way through the application's own undo or cleanup, and the next start's too: the one after is asked again, with the same state.
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

/** Starts the application; `dies` says where it kills itself. Gives the result of one that ends. */
function start({ path, keychain }, dies) {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, path, keychain, dies], { encoding: "utf8" });
  // Windows has no signals: there it is a status, and nothing is said.
  const killed = signal === "SIGKILL" || (process.platform === "win32" && status !== 0 && stdout === "" && stderr === "");
  assert.equal(killed, dies !== "", `it ended with ${signal ?? status}: ${stdout}${stderr}`);
  return killed ? undefined : JSON.parse(stdout.trim());
}

const keys = ({ keychain }) => readdirSync(keychain).filter((name) => name !== "calls").sort();

/** `[callback, state, nonce]` of each call of undo and cleanup so far. */
function calls({ keychain }) {
  const lines = readFileSync(join(keychain, "calls"), "utf8").trim().split("\n");
  return lines.map((line) => line.split(" ")).map(([callback, state, nonce]) => [callback, JSON.parse(state), nonce]);
}

/** v1 is canonical with every row, whatever lies beside it. */
function assertWhole({ path }) {
  assert.equal(shell(path, "PRAGMA user_version; SELECT group_concat(body) FROM notes; PRAGMA integrity_check"), "1\na,b\nok");
}

/** v2, the backup of v1 with its receipt, the locks; and of the keys those of this upgrade. */
async function assertOver(place, { outcome, recovery, backup, warnings }, how) {
  assert.deepEqual([outcome, recovery, warnings], [...how, []]);
  assertUpgraded(place);
  assert.equal(shell(backup, "SELECT group_concat(body) FROM notes; PRAGMA integrity_check"), "a,b\nok");
  const name = basename(backup);
  assert.deepEqual(place.names().filter((name) => !name.endsWith("-lock")), ["data.db", name, `${name}.json`]);
  assert.deepEqual((await listBackups(place.path)).map(({ whole }) => whole), [true]);
  const nonce = name.slice(-8);
  assert.deepEqual(keys(place), [`made-1-${nonce}`, `made-2-${nonce}`]);
  const before = [place.names(), calls(place).length];
  assert.equal(start(place, "").outcome, "current");
  assert.deepEqual([place.names(), calls(place).length], before, "nothing is left to be asked");
}

// The undo of the attempt itself, whose build failed or whose v1 changed; and that of a recovery, after a process that was killed in its build.
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
      // Where the removal of v2 cannot be flushed the journal takes it back.
      const said = process.platform === "win32" ? "building" : phase;
      assert.equal(JSON.parse(readFileSync(`${place.path}.v1-v2-cutover.json`, "utf8")).phase, said);
    }
    const [[, , nonce]] = calls(place);
    assert.deepEqual(keys(place), [`made-2-${nonce}`, "old-1", "old-2"]);
    const asked = ["undo", { made: [`made-1-${nonce}`, `made-2-${nonce}`], attempt: 1 }, nonce];
    assert.deepEqual(calls(place), [asked, asked]);
    return { place, asked };
  };

  test(`killed in ${whose} undo, and again in the next start's: the one after undoes all of it, and upgrades`, async () => {
    const { place, asked } = killedTwice();
    await assertOver(place, start(place, ""), ["migrated", "undone"]);
    const [third, [callback, { attempt }, nonce], ...more] = calls(place).slice(2);
    assert.deepEqual([third, callback, attempt, more], [asked, "cleanup", 2, []]);
    assert.notEqual(nonce, asked[2]);
  });

  test(`killed in ${whose} undo, and again in the next start's: v1 is as it was once one ends`, async () => {
    const { place, asked } = killedTwice();
    const undone = [];
    const { recovery, backup, warnings } = await recover(options(place.path, { undo: (state, { nonce }) => void undone.push("undo", state, nonce) }));
    assert.deepEqual([recovery, backup, warnings, undone], ["undone", null, [], asked]);
    assert.equal(shell(place.path, "PRAGMA journal_mode"), "wal");
    assertUntouched(place);
  });
}

test("killed in its cleanup, and again in the next start's: v2 is in place, and the one after cleans up all of it", async () => {
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
