// The command line in a pipe: what it answers, refuses and ends with, and that it changes nothing
// that it must not change. cli-terminal.test.mjs has it in a terminal.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { test } from "node:test";
import { lock, migrate } from "cutover";
import { exitCodes, main } from "cutover/cli";
import { all, app, cli, myapp, run, runWith } from "./cli-support.mjs";
import { assertUntouched, assertUpgraded, options, seed, shell } from "./support.mjs";

const windows = process.platform === "win32";
const VERBS = [
  "status",
  "plan",
  "recover",
  "backups",
  "restore",
  "prune",
  "adopt",
  "doctor",
  "explain",
  "explore",
];

/** A database that was upgraded, and the name of its backup. */
async function upgraded() {
  const place = seed();
  const { backup } = await migrate(options(place.path));
  return { ...place, backup: basename(backup) };
}

test("help names every verb, and each verb has a page with its options and examples", () => {
  const whole = run("--help");
  assert.deepEqual([whole.status, whole.stderr], [0, ""]);
  for (const verb of VERBS) {
    assert.match(whole.stdout, new RegExp(`^  ${verb} `, "m"));
    for (const asked of [
      [verb, "--help"],
      ["-h", verb],
      ["help", verb],
    ]) {
      const { status, stdout } = run(...asked);
      assert.deepEqual([status, stdout.startsWith(`usage: cutover ${verb}`)], [0, true], stdout);
      assert.match(stdout, /^examples\n  cutover /m);
      for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
    }
  }
  assert.match(
    run("restore", "--help").stdout,
    /^usage: cutover restore <database> <backup> \[options\]\n[^]*  --dry-run /,
  );
  const own = myapp("data.db", {}, "restore", "--help").stdout;
  assert.match(own, /^usage: myapp db restore <backup> \[options\]\n/);
  assert.doesNotMatch(own, /--companion|--unseen|~\/\.myapp/);
  for (const line of whole.stdout.split("\n")) assert.ok(line.length <= 100, line);
});

test("the version is that of the package", () => {
  const { version } = createRequire(import.meta.url)("cutover/package.json");
  for (const { status, stdout } of [run("--version"), run("status", "--version")])
    assert.deepEqual([status, stdout], [0, `cutover ${version}\n`]);
});

test("what is mistyped is refused, and the nearest is named", () => {
  const place = seed();
  const before = all(place);
  for (const [args, says] of [
    [[], /name a verb/],
    [["staus", place.path], /there is no verb staus; did you mean status\?/],
    [["heal", place.path], /there is no verb heal\n/],
    [["status", "--jsno", place.path], /status has no option --jsno; did you mean --json\?/],
    [["status", "-x", place.path], /status has no option -x\n/],
    [["status", "--dry-run", place.path], /status has no option --dry-run\n/],
    [["status"], /status needs a database/],
    [["status", place.path, "more"], /status takes no more/],
    [["status", "--json=1", place.path], /--json has no value/],
    [["doctor", place.path, "--out"], /--out needs a value: --out FILE/],
    [["doctor", "--out", "--quiet", place.path], /--out needs a value/],
    [["doctor", "--out", "a", "--out", "b", place.path], /--out is given twice/],
    [["status", "--companion", "auth", place.path], /a companion is NAME=FILE, not auth/],
    [["restore", place.path], /restore needs the name of a backup/],
    [["restore", "--unseen", "procede", place.path, "x"], /did you mean proceed\?/],
    [["prune", place.path], /prune needs a rule/],
    [["prune", "--keep", "two", place.path], /--keep is a whole number, not two/],
    [["prune", "--older-than", "30", place.path], /such as 12h, 30d or 4w, not 30/],
    [["explain", "HELT"], /there is no code HELT; did you mean HELD\?/],
    [["explore", "--strategy", "two-renames"], /did you mean two-rename\?/],
    [["explore", "--replay", "nonsense"], /nonsense names no crash/],
  ]) {
    const { status, stdout, stderr } = run(...args);
    assert.deepEqual([status, stdout], [exitCodes.usage, ""], args.join(" "));
    assert.match(stderr, says);
    assert.match(stderr, /^usage: cutover /m);
    assert.match(stderr, /--help says more$/m);
  }
  assert.deepEqual(all(place), before);
});

test("status takes a database, its folder, or a bundle", async () => {
  const { path, directory, backup } = await upgraded();
  const answer = run("status", path);
  assert.equal(answer.status, exitCodes.ok);
  assert.match(answer.stdout, /^The data is safe\.\n/);
  /** What is said of the database, whenever it was looked at. */
  const dateless = (text) => text.replaceAll(/\d+ \w+ \d{4}(?:,| at) \d\d:\d\d UTC/g, "then");
  const says = ({ status, stdout }) => [status, dateless(stdout).split("\n").slice(1)];
  assert.deepEqual(says(run("status", directory)), says(answer));
  assert.equal(run("doctor", directory, "--out", join(directory, "bundle.json")).status, 0);
  const bundle = join(directory, "bundle.json");
  // The pages of a bundle were read then, and not now.
  const sent = run("status", bundle);
  assert.match(sent.stdout, /^The data was safe on \d+ \w+ \d{4}.* UTC\.\n/);
  assert.deepEqual(says(sent), says(answer));
  // As PowerShell and Windows' editors write it.
  for (const [encoding, text] of [
    ["utf16le", `\ufeff${readFileSync(bundle, "utf8")}`],
    ["utf8", `\ufeff${readFileSync(bundle, "utf8")}`],
  ]) {
    writeFileSync(bundle, text, encoding);
    assert.deepEqual(run("status", bundle), sent, encoding);
    writeFileSync(bundle, text.slice(1));
  }
  assert.match(run("status", join(directory, `${backup}.json`)).stdout, new RegExp(backup));
  const plan = join(directory, "plan.json");
  const dry = JSON.parse(run("restore", "--dry-run", "--json", path, backup).stdout);
  writeFileSync(plan, JSON.stringify(dry.plan));
  assert.match(run("status", plan).stdout, /^This plan is safe to perform\.\n/);
  // A backup that lost its database belongs to that database all the same.
  rmSync(path);
  const lost = run("status", directory);
  assert.deepEqual(lost, run("status", path));
  assert.match(lost.stdout, new RegExp(`^${backup} .*rows`, "m"));
});

test("a folder without a database is no answer about data", () => {
  const { directory } = seed(null);
  writeFileSync(join(directory, "notes.txt"), "no database");
  for (const verb of ["status", "doctor", "backups"]) {
    const { status, stdout, stderr } = run(verb, directory);
    assert.deepEqual([status, stdout], [exitCodes.noDatabase, ""]);
    assert.match(stderr, /there is no SQLite database in /);
  }
  for (const name of ["a.db", "b.db"]) shell(join(directory, name), "CREATE TABLE t(a)");
  const { status, stderr } = run("status", directory);
  assert.deepEqual([status, /name one of them: a\.db, b\.db$/m.test(stderr)], [66, true], stderr);
  assert.equal(run("status", "--json", join(directory, "none.db")).status, exitCodes.cannotTell);
});

test("plan shows steps with reasons, room and findings, and changes nothing", async () => {
  const place = seed();
  const before = all(place);
  const { status, stdout, stderr } = myapp(place.path, {}, "plan");
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^migrate: \d+ steps\nIt needs [\d.]+ \w+ of room; [\d.]+ \w+ are free\.\n/);
  assert.match(
    stdout,
    /^ +\d+\. rename data\.db\.building-[0-9a-f]{8} → data\.db  the flip\n     \S.*$/m,
  );
  assert.match(stdout, /^Nothing is in the way\.$/m);
  assert.deepEqual(all(place), before);
  // Windows waits for a program that has the database open, and refuses.
  if (!windows) {
    const held = await holding(place.path, () => myapp(place.path, {}, "plan"));
    assert.equal(held.status, exitCodes.bad, held.stdout + held.stderr);
    assert.match(held.stdout, /^finding: .*; /m);
    assert.deepEqual(all(place), before);
  }
  await migrate(options(place.path));
  assert.equal(myapp(place.path, {}, "plan").stdout, `There is nothing to do for ${place.path}.\n`);
});

test("where an upgrade was killed, plan shows the recovery without a finding, and recover does it", () => {
  const said = new Set();
  for (let at = 1; ; at += 3) {
    const place = seed();
    const killed = myapp(place.path, { DIE_AT: `${at}` }, "upgrade");
    if (killed.status === 0) break;
    const before = all(place);
    const { status, stdout } = myapp(place.path, {}, "plan");
    assert.deepEqual(all(place), before);
    assert.match(
      stdout,
      /\nNothing is in the way\.\n$|^There is nothing to do/,
      `${at}: ${stdout}`,
    );
    assert.equal(status, exitCodes.ok);
    said.add(/^\w+/.exec(stdout)[0]);
    const recovered = myapp(place.path, {}, "recover");
    assert.equal(recovered.status, 0, recovered.stderr);
    said.add(recovered.stdout.split("\n")[0]);
    if (shell(place.path, "PRAGMA user_version") === "1") assertUntouched(place);
    else assertUpgraded(place);
  }
  for (const words of [
    "undo",
    "finish",
    "The interrupted work is undone.",
    "The interrupted work is finished.",
  ])
    assert.ok(said.has(words), [...said].join(" | "));
});

test("plan and recover say that they need the application", () => {
  const place = seed();
  for (const verb of ["plan", "recover"]) {
    const { status, stderr } = run(verb, place.path);
    assert.equal(status, exitCodes.unavailable);
    assert.match(stderr, new RegExp(`^cutover: ${verb} needs the application`));
  }
  assertUntouched(place);
});

test("restore shows its steps in a dry run, restores, and reports a line for each step", async () => {
  const place = await upgraded();
  const { path, backup } = place;
  const before = all(place);
  const dry = run("restore", "--dry-run", path, backup);
  assert.equal(dry.status, 0, dry.stderr);
  assert.match(
    dry.stdout,
    /^restore: \d+ steps\n[^]* rename .* → data\.db  the flip\n[^]*\nNothing is in the way\.\n$/,
  );
  assert.deepEqual(all(place), before);
  const { status, stdout, stderr } = run("restore", path, backup);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^.*data\.db is again what .* holds; the backup stays\.\n/);
  const lines = stderr.trimEnd().split("\n");
  const [, steps] = /^restore: (\d+) steps/.exec(dry.stdout);
  assert.ok(lines[0].startsWith(`[1/${steps}] look data.db: `), lines[0]);
  for (const line of lines) assert.match(line, /^\[\d+\/\d+\] [a-z-0-9]+.*: \S/);
  assert.equal(shell(path, "SELECT group_concat(body) FROM notes"), "a,b");
});

test("backups are listed, adopted and pruned", async () => {
  const { path, directory, backup } = await upgraded();
  rmSync(join(directory, `${backup}.json`));
  assert.match(
    run("backups", directory).stdout,
    new RegExp(`^backup .*\n${backup} .* not whole: `),
  );
  const adopted = run("adopt", path, backup);
  assert.equal(adopted.status, 0, adopted.stderr);
  assert.equal(adopted.stderr.match(/^warning: /gm).length, 1, adopted.stderr);
  assert.match(run("backups", path).stdout, new RegExp(`^${backup} .* whole$`, "m"));
  renameSync(path, join(directory, "v2"));
  shell(path, "PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, body);");
  await migrate(options(path));
  assert.match(
    run("prune", "--keep", "1", "--older-than", "1d", path).stdout,
    /^0 backups removed\.\n$/,
  );
  const pruned = run("prune", "--keep", "1", path);
  assert.match(pruned.stdout, new RegExp(`^removed .*${backup}\n1 backup removed\.\n$`));
  assert.match(run("backups", join(directory, "other.db")).stdout, /has no backup\.\n$/);
});

test("explain explains a code, a line of a log, and lists the codes", () => {
  const held = run("explain", "held");
  assert.match(held.stdout, /^HELD\nit means: .*\nthe data: .*\nwhat to do: .*\n$/);
  const line = "ERROR upgrade failed [cutover:NO_SPACE:copy:ENOSPC] at boot".split(" ");
  for (const words of [line, [line.join(" ")]])
    assert.match(
      run("explain", ...words).stdout,
      /^NO_SPACE\n[^]*\nfailed at: +copy\nthe system: +ENOSPC\n$/,
    );
  assert.equal(run("explain").stdout.split("\n").length, 14);
  assert.equal(run("explain", "nothing here").status, exitCodes.files);
});

test("explore finds no bad crash of ours, bad ones of two renames, and replays one", () => {
  const ours = run("explore", "--platform", "linux");
  assert.equal(ours.status, exitCodes.ok, ours.stderr);
  assert.match(
    ours.stdout,
    /^ +step +kill +power, in order.*\n[^]*\n\d+ crash states\. From 0 the next start ends badly; 0 /,
  );
  const naive = run("explore", "--strategy", "two-rename", "--platform", "linux");
  assert.equal(naive.status, exitCodes.bad);
  const [, line] = /^  --replay '(.*)'$/m.exec(naive.stdout);
  const story = run("explore", "--replay", line);
  assert.ok(story.status === 0 && story.stdout.split("\n").length > 3, story.stdout);
});

test("quiet says nothing but failures and warnings", async () => {
  const { path, backup } = await upgraded();
  for (const args of [
    ["status", "-q", path],
    ["restore", "--quiet", path, backup],
  ])
    assert.deepEqual(run(...args), { status: 0, signal: null, stdout: "", stderr: "" });
  assert.equal(run("status", "--quiet", join(path, "none")).stdout, "");
  assert.match(run("restore", "--quiet", path, "none").stderr, /\[cutover:IO\]/);
});

test("no pipe gets a colour or a character that controls a terminal", () => {
  const { directory } = seed(null);
  const path = join(directory, "a\u200bb.db");
  shell(path, "CREATE TABLE t(a)");
  for (const args of [
    ["status", path],
    ["backups", path],
    ["doctor", path],
    ["status", "--json", path],
    ["restore", path, "x\u009b1m"],
    ["status", join(directory, "\u001b[31m.db")],
  ])
    for (const text of Object.values(run(...args)))
      if (typeof text === "string") assert.doesNotMatch(text, /[^\P{Cc}\n]|\p{Cf}/u, args[0]);
  assert.equal(JSON.parse(run("doctor", path).stdout).observation.canonical, basename(path));
});

test("an application is called by its name, on its database, with its companions", async () => {
  const place = seed();
  const auth = join(place.directory, "auth.json");
  writeFileSync(auth, "of v1");
  await migrate(options(place.path));
  assert.match(myapp(place.path, {}, "backups").stdout, /^data\.db\.v1-v2-/m);
  assert.match(myapp(place.path, {}, "status").stdout, /^The data is safe/);
  const { observation } = JSON.parse(myapp(place.path, { COMPANION: auth }, "doctor").stdout);
  assert.equal(observation.companions.auth.file, "auth.json");
  assert.match(myapp(place.path, {}, "backups", "x").stderr, /^myapp db: backups takes no x/);
  assert.match(
    myapp(place.path, {}, "status", seed(null).directory).stderr,
    /^myapp db: there is no SQLite/,
  );
});

test("main answers in the process that calls it, and ends nothing", async () => {
  const place = await upgraded();
  const listeners = process.listenerCount("SIGINT");
  assert.equal(await main(["status", "--quiet", place.path]), exitCodes.ok);
  assert.equal(
    await main(["restore", "--quiet", place.backup], { name: "x", migrate: options(place.path) }),
    0,
  );
  assert.equal(process.listenerCount("SIGINT"), listeners);
  const aborted = options(place.path, { signal: AbortSignal.abort() });
  assert.equal(await main(["status", "--quiet"], { migrate: aborted }), exitCodes.stopped);
});

test("every exit code is given for its reason", async () => {
  const place = await upgraded();
  const { path, directory, backup } = place;
  const given = {};
  const ends = (code, { status, stderr }) => {
    assert.equal(status, exitCodes[code], stderr);
    given[code] = status;
  };
  ends("ok", run("status", path));
  ends("cannotTell", run("status", join(directory, "none.db")));
  ends("usage", run("statu"));
  ends("noDatabase", run("status", seed(null).directory));
  ends("unavailable", run("plan", path));
  ends(
    "unavailable",
    runWith({ env: { CUTOVER_NATIVE_PATH: join(directory, "none.node") } }, "status", path),
  );
  ends("fault", myapp(path, { DETECT: "fails" }, "plan"));
  ends("files", myapp(path, { DETECT: "newer" }, "plan"));
  ends("io", run("status", join(directory, "nowhere", "data.db")));
  ends("io", run("doctor", path, "--out", path));
  ends("files", run("adopt", path, backup));
  ends("files", run("explain", "no code here"));
  const owner = await lock(path);
  ends("inUse", run("prune", "--keep", "3", path));
  owner.release();
  writeFileSync(path, "something else");
  ends("bad", run("status", path));
  if (!windows) {
    const { path, backup } = await upgraded();
    const held = await holding(path, () => myapp(path, { WAIT_MS: "100" }, "restore", backup));
    ends("inUse", held);
    assert.match(held.stderr, /^waiting up to 0\.1 s: .*sqlite3.* \(\d+\)/m);
    ends("io", runWith({ stdio: ["ignore", full(), "pipe"] }, "backups", path));
    ends("stopped", await stopped("SIGTERM"));
  }
  const rest = windows ? { stopped: exitCodes.stopped } : {};
  assert.deepEqual({ ...given, ...rest }, { ...exitCodes });
});

if (!windows) {
  // The Windows lab has no page.
  test("the help and docs/cli.md have every exit code", () => {
    const codes = Object.values(exitCodes).map(String);
    const { stdout } = run("--help");
    assert.deepEqual(
      [...stdout.matchAll(/^  (\d+) +\S/gm)].map(([, code]) => code),
      codes,
    );
    const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
    assert.deepEqual(
      [...page.matchAll(/^\| (\d+) \| `(\w+)` \|/gm)].map(([, code, name]) => [name, code]),
      Object.entries(exitCodes).map(([name, code]) => [name, `${code}`]),
    );
    for (const verb of VERBS) assert.match(page, new RegExp(`^\\| \`${verb}\\b`, "m"));
  });

  // Windows drops no lock with a handle.
  test("a call in a process that has the database open leaves its locks alone", async () => {
    const { path, directory } = seed();
    const { default: Database } = await import("libsql");
    const connection = new Database(path);
    connection.exec("BEGIN IMMEDIATE; INSERT INTO notes(body) VALUES ('c')");
    for (const file of [path, directory])
      assert.equal(await main(["status", "--quiet", file]), exitCodes.cannotTell);
    const args = [path, "INSERT INTO notes(body) VALUES ('d')"];
    assert.match(spawnSync("sqlite3", args, { encoding: "utf8" }).stderr, /locked/);
    connection.exec("COMMIT");
    connection.close();
  });

  test("a full disk behind the output is told, and no answer is called whole", async () => {
    const { path } = await upgraded();
    for (const args of [["status"], ["backups"], ["doctor"], ["status", "--json"]]) {
      const { status, stderr } = runWith({ stdio: ["ignore", full(), "pipe"] }, ...args, path);
      assert.equal(status, exitCodes.io, args.join(" "));
      assert.match(stderr, /^standard output: the answer cannot be written: ENOSPC; /);
    }
  });

  test("a reader that has read enough is no failure", async () => {
    const { path } = await upgraded();
    const script = `"$0" "$1" doctor "$2" | true; "$0" "$1" status "$2" 2>&1 >&- | cat`;
    const { status, stdout, stderr } = spawnSync(
      "sh",
      ["-c", script, process.execPath, cli, path],
      { encoding: "utf8" },
    );
    assert.deepEqual([status, stdout, stderr], [0, "", ""]);
  });

  test("a signal stops a restore, which says what it left, and changes nothing", async () => {
    for (const signal of ["SIGINT", "SIGTERM"]) {
      const { status, stderr, place } = await stopped(signal);
      assert.equal(status, exitCodes.stopped, stderr);
      assert.match(stderr, /^stopping; /m);
      assert.match(stderr, /^Nothing is left behind\.$/m);
      assert.match(stderr, /\[cutover:ABORTED/);
      assertUpgraded(place);
    }
  });
}

function full() {
  return openSync("/dev/full", "w");
}

/** Does something while another program has the database open. */
async function holding(path, action) {
  const holder = spawn("sqlite3", [path], { stdio: ["pipe", "pipe", "inherit"] });
  holder.stdin.write("SELECT count(*) FROM sqlite_master;\n");
  await once(holder.stdout, "data");
  try {
    return action();
  } finally {
    const ended = once(holder, "exit");
    holder.kill();
    await ended;
  }
}

/** Stops a restore at its copy. */
async function stopped(signal) {
  const place = await upgraded();
  const child = spawn(process.execPath, [app, place.path, "restore", place.backup], {
    env: { ...process.env, HOLD_ON: "step", HOLD_AT: "copy" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (text) => {
    stderr += text;
    if (/\] copy /.test(text)) child.kill(signal);
  });
  const [status] = await once(child, "close");
  return { status, stderr, place };
}
