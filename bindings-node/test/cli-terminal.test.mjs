// The command line in a real terminal, which tmux gives: the bar, colours, Ctrl-C.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { basename } from "node:path";
import { after, before, test } from "node:test";
import { migrate } from "cutover";
import { app, cli } from "./cli-support.mjs";
import { assertUpgraded, options, seed, V1 } from "./support.mjs";

const socket = `cutover-${process.pid}`;

function tmux(...args) {
  const { status, stdout, stderr, error } = spawnSync("tmux", ["-L", socket, ...args], {
    encoding: "utf8",
  });
  assert.equal(status, 0, `tmux ${args[0]}: ${error?.message ?? stderr} (install tmux)`);
  return stdout;
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** Runs a program in a terminal of its own. */
function terminal(name, args, { env = {}, columns = 120 } = {}) {
  const given = Object.entries({ TMPDIR: process.env.TMPDIR ?? "/tmp", ...env });
  const program = [process.execPath, ...args].map(quoted).join(" ");
  const line = `${given.map(([key, value]) => `${key}=${quoted(value)}`).join(" ")} ${program}; printf '\\nended with %s\\n' $?`;
  tmux("-f", "/dev/null", "new-session", "-d", "-s", name, "-x", `${columns}`, "-y", "50", "sh");
  // Without the trap a shell drops the rest of its line with a program that Ctrl-C killed.
  tmux("send-keys", "-t", name, "-l", `trap : INT; clear; ${line}`);
  tmux("send-keys", "-t", name, "Enter");
  return {
    keys: (...keys) => tmux("send-keys", "-t", name, ...keys),
    /**
     * What the terminal shows once it shows `wanted`. Long lines are joined, but not with `flag`:
     * `-e` is for colours, `-N` for lines as they are.
     */
    async shows(wanted, flag = "-J") {
      for (;;) {
        const screen = tmux("capture-pane", "-p", flag, "-t", name);
        if (wanted.test(screen)) return screen;
        assert.doesNotMatch(screen, ENDED);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

const ENDED = /^ended with (\d+)$/m;

// Windows has no tmux.
if (process.platform !== "win32") {
  before(() => assert.equal(spawnSync("tmux", ["-V"]).status, 0, "install tmux"));
  after(() => void spawnSync("tmux", ["-L", socket, "kill-server"]));

  /**
   * An upgraded database whose backup is long to check: for each row SQLite computes a generated
   * column, which may not be NULL.
   */
  async function slow() {
    const place = seed(`${V1} CREATE TABLE slow(x);
      INSERT INTO slow WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 90000) SELECT i FROM n;
      PRAGMA writable_schema = ON;
      UPDATE sqlite_master SET sql = 'CREATE TABLE slow(x, y AS (hex(zeroblob(200000 + x))) NOT NULL)' WHERE name = 'slow';
      PRAGMA writable_schema = RESET;`);
    const { backup } = await migrate(options(place.path, { checkV1: false }));
    return { ...place, backup: basename(backup) };
  }

  /** Held in the middle of that check. */
  const env = { HOLD_ON: "progress", HOLD_AT: "check" };
  const CHECK = "^\\[\\d+/\\d+\\] check data\\.db\\.install-[0-9a-f]{8} [█░]+";
  const BAR = new RegExp(
    `${CHECK} +\\d+% [\\d.]+ [KM]iB of [\\d.]+ [KM]iB, [\\d.]+ [KM]?i?B/s(, \\d+ (s|min|h).* left)?$`,
    "m",
  );

  test(
    "a bar has bytes, rate and time; Ctrl-C stops the restore, which says what is left",
    { timeout: 60_000 },
    async () => {
      const place = await slow();
      const screen = terminal("bar", [app, place.path, "restore", place.backup], { env });
      assert.match(await screen.shows(BAR), BAR);
      screen.keys("C-c");
      const after = await screen.shows(ENDED);
      assert.match(after, /^ended with 130$/m);
      assert.match(after, /^stopping; a second Ctrl-C ends this process at once/m);
      assert.match(after, /^Nothing is left behind\.$/m);
      assert.match(after, /\[cutover:ABORTED/);
      assertUpgraded(place);
    },
  );

  test(
    "once it has ended the bar is gone, and the answer stands alone",
    { timeout: 60_000 },
    async () => {
      const place = seed();
      const { backup } = await migrate(options(place.path));
      const restored = await terminal("end", [cli, "restore", place.path, basename(backup)]).shows(
        ENDED,
      );
      assert.match(restored, /^.* is again what .* holds; the backup stays\./);
      const explored = await terminal("explored", [cli, "explore"]).shows(ENDED);
      for (const screen of [restored, explored]) {
        assert.match(screen, /^ended with 0$/m);
        assert.doesNotMatch(screen, /[█░]|^\[\d/m);
      }
    },
  );

  test(
    "a narrow terminal gets a line that fits, also with the ^C of Ctrl-C behind it",
    { timeout: 60_000 },
    async () => {
      const place = await slow();
      const screen = terminal("narrow", [app, place.path, "restore", place.backup], {
        env,
        columns: 50,
      });
      const shown = await screen.shows(new RegExp(CHECK, "m"), "-N");
      assert.equal(shown.split("\n").filter((line) => /check|[█░%]/.test(line)).length, 1, shown);
      screen.keys("C-c");
      assert.doesNotMatch(await screen.shows(ENDED), /[█░]/);
    },
  );

  test(
    "a second Ctrl-C ends the process at once, and loses nothing",
    { timeout: 60_000 },
    async () => {
      const place = await slow();
      const screen = terminal("twice", [app, place.path, "restore", place.backup], {
        env: { ...env, HOLD_FOREVER: "1" },
      });
      await screen.shows(BAR);
      screen.keys("C-c");
      await screen.shows(/^stopping; /m);
      screen.keys("C-c");
      assert.match(await screen.shows(ENDED), /^ended with 130$/m);
      const again = await terminal("again", [app, place.path, "recover"]).shows(ENDED);
      assert.match(again, /^The interrupted work is undone\.\n\nended with 0$/m);
      assertUpgraded(place);
    },
  );

  test(
    "a terminal has colours, but for NO_COLOR, --no-color and a dumb one",
    { timeout: 60_000 },
    async () => {
      const { path } = seed();
      const GREEN = /\u001b\[32mThe data is safe/;
      const shown = async (name, args, env) =>
        terminal(name, [cli, "status", ...args, path], { env }).shows(ENDED, "-e");
      assert.match(await shown("colours", [], {}), GREEN);
      for (const [name, args, env] of [
        ["no-color", [], { NO_COLOR: "1" }],
        ["option", ["--no-color"], {}],
        ["dumb", [], { TERM: "dumb" }],
      ]) {
        const screen = await shown(name, args, env);
        assert.match(screen, /^The data is safe/m, name);
        assert.doesNotMatch(screen, /\u001b\[/, name);
      }
    },
  );
}
