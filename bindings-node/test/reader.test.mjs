// The reader of the addon: every value of SQLite crosses exactly, both ways.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { migrate } from "cutover";
import { build, failure, made, options, seed, shell, V1 } from "./support.mjs";

/** Runs the work with a reader of v1. */
async function withV1(work, sql) {
  const place = seed(sql);
  let given;
  await migrate(
    options(
      place.path,
      made(async (job) => void ((given = await work(job.v1, job)), await build(job))),
    ),
  );
  return given;
}

const BLOB = Uint8Array.from({ length: 256 }, (_, byte) => byte);

test("values cross to JavaScript exactly", async () => {
  const rows = await withV1((v1) =>
    v1.all(`SELECT 1 AS one, 9007199254740991 AS safe, 9007199254740992 AS unsafe, -9223372036854775807 - 1 AS least, 9223372036854775807 AS most,
      0.1 AS tenth, 2.0 AS two, 1e999 AS inf, -1e999 AS minus, 4.9e-324 AS tiny, NULL AS empty, 'é' || char(0) || char(128512) AS text,
      x'00ff80' AS blob, x'' AS none, CAST(x'ff41' AS TEXT) AS broken`),
  );
  assert.deepEqual(rows, [
    {
      one: 1,
      safe: 9007199254740991,
      unsafe: 9007199254740992n,
      least: -9223372036854775808n,
      most: 9223372036854775807n,
      tenth: 0.1,
      two: 2,
      inf: Infinity,
      minus: -Infinity,
      tiny: 5e-324,
      empty: null,
      text: "é\0\u{1f600}",
      blob: Uint8Array.of(0, 255, 128),
      none: new Uint8Array(),
      broken: Uint8Array.of(0xff, 0x41),
    },
  ]);
});

test("values bind exactly", async () => {
  const sliced = BLOB.subarray(3, 7);
  const args = [
    1,
    9007199254740991,
    9007199254740993n,
    -9223372036854775808n,
    0.1,
    2 ** 60,
    Infinity,
    null,
    "é\0\u{1f600}",
    BLOB,
    sliced,
    Buffer.from("é"),
  ];
  const types = [
    "integer",
    "integer",
    "integer",
    "integer",
    "real",
    "real",
    "real",
    "null",
    "text",
    "blob",
    "blob",
    "blob",
  ];
  const select = `SELECT ${args.map((_, at) => `?${at + 1} AS v${at}, typeof(?${at + 1}) AS t${at}`).join(", ")}`;
  const [row] = await withV1((v1) => v1.all(select, args));
  assert.deepEqual(
    args.map((_, at) => row[`t${at}`]),
    types,
  );
  const got = args.map((_, at) => row[`v${at}`]);
  assert.deepEqual(got.slice(0, 9), args.slice(0, 9));
  assert.deepEqual(
    got.slice(9).map((bytes) => [...bytes]),
    [[...BLOB], [3, 4, 5, 6], [0xc3, 0xa9]],
  );
});

test("an answer that no JavaScript string can hold is refused, and the reader works on", async () => {
  const found = await withV1(async (v1) => {
    await assert.rejects(
      () => v1.all("SELECT hex(zeroblob(135000000)) AS long"),
      /^Error: the answer has 2700000\d\d bytes as JSON.* ask for fewer rows/,
    );
    return v1.all("SELECT 1 AS one");
  });
  assert.deepEqual(found, [{ one: 1 }]);
});

test("rows keep their order, their column names and their types", async () => {
  const sql = `${"PRAGMA user_version=1; CREATE TABLE notes(id INTEGER PRIMARY KEY, body);"} INSERT INTO notes VALUES (1, x'01'), (2, 'two'), (3, NULL);`;
  const rows = await withV1(
    (v1) => v1.all('SELECT id, body AS "__proto__", 1 AS "" FROM notes ORDER BY id'),
    sql,
  );
  assert.deepEqual(
    rows.map((row) => Object.entries(row)),
    [
      [
        ["id", 1],
        ["__proto__", Uint8Array.of(1)],
        ["", 1],
      ],
      [
        ["id", 2],
        ["__proto__", "two"],
        ["", 1],
      ],
      [
        ["id", 3],
        ["__proto__", null],
        ["", 1],
      ],
    ],
  );
  assert.deepEqual(await withV1((v1) => v1.all("SELECT 1 WHERE 0")), []);
});

test("each of several parallel queries gets its own answer", async () => {
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  const rows = await withV1((v1) =>
    Promise.all(numbers.map((number) => v1.all("SELECT ? AS number", [number]))),
  );
  assert.deepEqual(
    rows.map(([row]) => row.number),
    numbers,
  );
});

test("a failed query is refused with the reason", async () => {
  await withV1(async (v1) => {
    assert.match((await failure(v1.all("SELECT * FROM absent"))).message, /no such table: absent/);
    assert.match((await failure(v1.all("DELETE FROM notes"))).message, /readonly|read-only/);
    assert.match(
      (await failure(v1.all("SELECT ?", [true]))).message,
      /args\[0\] must be .*, not boolean/,
    );
    assert.match(
      (await failure(v1.all("SELECT ?", [2n ** 63n]))).message,
      /9223372036854775808 is not a 64-bit integer/,
    );
    assert.match((await failure(v1.all("SELECT ?, ?", [1]))).message, /parameter|Wrong number/i);
    for (const sql of ["SELECT '\ud800'", "SELECT 1\0; SELECT 2", 7]) {
      const error = await failure(v1.all(sql));
      assert.ok(error instanceof TypeError, String(error));
      assert.match(error.message, /^cutover: sql must be a well-formed string without a NUL/);
    }
    const half = await failure(v1.all("SELECT ?", ["half \ud800 pair"]));
    assert.ok(half instanceof TypeError, String(half));
    assert.match(half.message, /^cutover: args\[0\] must be a well-formed string/);
    for (const sql of ["VACUUM INTO 'stray'", "ATTACH 'stray' AS s", "PRAGMA writable_schema=ON"]) {
      assert.match((await failure(v1.all(sql))).message, /a reader only reads/);
    }
    assert.deepEqual(await v1.all("SELECT 1 AS still"), [{ still: 1 }]);
  });
});

const COUNT =
  "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n LIMIT ?) SELECT i, printf('%.*c', ?, 'x') AS text FROM n";

test("an iteration gives every row in order, also across batches", async () => {
  const found = await withV1(async (v1) => {
    const numbers = [];
    for await (const { i, text } of v1.iterate(COUNT, [1, 5000, 1000])) {
      assert.equal(text.length, 1000);
      numbers.push(i);
    }
    const none = [];
    for await (const row of v1.iterate("SELECT 1 WHERE 0")) none.push(row);
    const exact = [];
    for await (const row of v1.iterate("SELECT 9007199254740993 AS n, x'00ff' AS b, ? AS t", ["é"]))
      exact.push(row);
    return { numbers, none, exact };
  });
  assert.deepEqual(
    found.numbers,
    Array.from({ length: 5000 }, (_, at) => at + 1),
  );
  assert.deepEqual(found.none, []);
  assert.deepEqual(found.exact, [{ n: 9007199254740993n, b: Uint8Array.of(0, 255), t: "é" }]);
});

test("several iterations without an end go on in turn, beside other requests", async () => {
  await withV1(async (v1, job) => {
    const from = [1, 1000, 1_000_000];
    const rows = from.map((first) => v1.iterate(COUNT, [first, -1, 50_000]));
    for (let round = 0; round < 60; round += 1) {
      const taken = await Promise.all(rows.map((each) => each.next()));
      assert.deepEqual(
        taken.map(({ value, done }) => [value.i, done]),
        from.map((first) => [first + round, false]),
      );
      await job.saveState({ round });
      assert.deepEqual(await v1.all("SELECT count(*) AS n FROM notes"), [{ n: 2 }]);
    }
    await Promise.all(rows.map((each) => each.return()));
  });
});

/** Each row is a batch of its own. */
const LARGE = "SELECT id, printf('%.*c', 1100000, 'x') AS text FROM notes";

test("an iteration that is left lets other processes write again", async () => {
  const place = seed(`PRAGMA journal_mode=DELETE; ${V1}`);
  const others = () => {
    try {
      return shell(place.path, "BEGIN EXCLUSIVE; SELECT 'free'; ROLLBACK");
    } catch {
      return "locked";
    }
  };
  const run = async (job) => {
    const rows = job.v1.iterate(LARGE);
    await rows.next();
    assert.equal(others(), "locked");
    await rows.return();
    assert.equal(others(), "free");
    for await (const { id } of job.v1.iterate(LARGE)) if (id === 1) break;
    assert.equal(others(), "free");
    // A copy of v1 beside an open iteration leaves its lock.
    await job.v1.iterate(LARGE).next();
    await job.source();
    assert.equal(others(), "locked");
    await build(job);
  };
  await migrate(options(place.path, made(run)));
});

test("an iteration fails at the row that fails, and refuses what all refuses", async () => {
  await withV1(async (v1) => {
    const fails = "SELECT CASE id WHEN 2 THEN abs(-9223372036854775807 - 1) ELSE id END AS i FROM notes";
    await assert.rejects(async () => {
      for await (const row of v1.iterate(fails)) void row;
    }, /integer overflow/);
    assert.match((await failure(v1.iterate("DELETE FROM notes").next())).message, /readonly|read-only/);
    assert.ok((await failure(v1.iterate("SELECT 1\0").next())) instanceof TypeError);
    assert.match((await failure(v1.iterate("SELECT ?", [true]).next())).message, /args\[0\]/);
    assert.deepEqual(await v1.all("SELECT 1 AS still"), [{ still: 1 }]);
  });
});

test("an iteration takes far less memory than its rows", () => {
  const place = seed();
  const program = fileURLToPath(new URL("iterate.mjs", import.meta.url));
  const said = execFileSync(process.execPath, [program, place.path], { encoding: "utf8" });
  const { rows, bytes, before, peak } = JSON.parse(said);
  assert.deepEqual([rows, bytes], [200, 200_000_000]);
  assert.ok(peak - before < 120_000_000, `${peak - before} bytes for rows of ${bytes}`);
});

test("a reader and a job are closed once their callback has settled", async () => {
  const place = seed();
  const kept = {};
  await migrate(
    options(place.path, {
      detect: async (db) =>
        (await db.all("PRAGMA user_version"))[0].user_version < 2 ? "old" : "current",
      ...made(async (job) => {
        const open = job.v1.iterate(COUNT, [1, 100, 100_000]);
        const other = job.v1.iterate(COUNT, [1, 100, 100_000]);
        for (const each of [open, other]) await each.next();
        // What has come already is given; what follows is not.
        for (let row = 1; row < 11; row += 1) await open.next();
        Object.assign(kept, { job, open, other });
        await build(job);
      }),
      // The reader of the build is closed, though the reader of v2 is open.
      verify: async (v2) => {
        kept.during = await failure(kept.job.v1.all("SELECT 1"));
        kept.own = await v2.all("SELECT count(*) AS n FROM note");
      },
    }),
  );
  const closed = /only until its callback has settled/;
  assert.match(kept.during.message, closed);
  assert.deepEqual(kept.own, [{ n: 2 }]);
  assert.match((await failure(kept.job.v1.all("SELECT 1"))).message, closed);
  assert.match((await failure(kept.job.saveState(1))).message, closed);
  assert.match((await failure(kept.job.companion("auth").read())).message, closed);
  assert.match((await failure(kept.job.source())).message, closed);
  assert.match((await failure(kept.job.v1.iterate("SELECT 1").next())).message, closed);
  assert.match((await failure(kept.open.next())).message, closed);
  assert.deepEqual(await kept.open.return(), { value: undefined, done: true });
  assert.deepEqual(await kept.other.return(), { value: undefined, done: true });
  kept.job.warn("too late");
  kept.job.progress(1);
});
