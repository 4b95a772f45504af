// The callbacks of the application: each may answer at once or later, and fail in any way.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CutoverError, listBackups, migrate, recover, restore } from "cutover";
import {
  assertUntouched,
  assertUpgraded,
  build,
  failure,
  made,
  options,
  seed,
  shell,
  V2,
} from "./support.mjs";

const later = () => new Promise((resolve) => setImmediate(resolve));
const version = async (db) => (await db.all("PRAGMA user_version"))[0].user_version;

for (const [how, wrap] of [
  ["sync", (work) => work],
  [
    "async",
    (work) =>
      async (...args) => (await later(), work(...args)),
  ],
]) {
  test(`${how} callbacks run in order, with their arguments`, async () => {
    const place = seed();
    const called = [];
    const { outcome, recovery, report, strategy, backup, warnings } = await migrate(
      options(place.path, {
        detect: async (db) => (called.push("detect"), (await version(db)) < 2 ? "old" : "current"),
        ...made(
          wrap((job) => {
            called.push("build");
            assert.match(job.nonce, /^[0-9a-f]{8}$/);
            assert.equal(job.attempt, 1);
            assert.equal(job.signal.aborted, false);
            shell(job.staging, `ATTACH '${place.path}' AS v1; ${V2}`);
            job.warn("mind the gap");
            return { expect: { note: 2 }, report: { moved: [1, "two", null] } };
          }),
        ),
        verify: wrap(() => void called.push("verify")),
        cleanup: wrap((state, at) => void called.push(`cleanup ${state} ${at.nonce.length}`)),
        undo: wrap(() => void called.push("undo")),
      }),
    );
    assert.deepEqual(called, ["detect", "build", "detect", "verify", "cleanup null 8"]);
    assert.deepEqual(
      { outcome, recovery, report, strategy },
      {
        outcome: "migrated",
        recovery: "none",
        report: { moved: [1, "two", null] },
        strategy: "link-replace",
      },
    );
    assert.deepEqual(warnings, [{ from: "host", code: null, message: "mind the gap" }]);
    assert.match(backup, /data\.db\.v1-v2-\d{13}-[0-9a-f]{8}$/);
    assertUpgraded(place);
  });

  test(`${how} undo gets the last saved state of a failed build`, async () => {
    const place = seed();
    const undone = [];
    const thrown = new Error("no more keys");
    const error = await failure(
      migrate(
        options(place.path, {
          ...made(async (job) => {
            await job.saveState({ step: 1 });
            await job.saveState({ step: 2, text: "\0 \u{1f600}" });
            undone.push(job.nonce);
            throw thrown;
          }),
          undo: wrap((state, { nonce }) => void undone.push(state, nonce)),
        }),
      ),
    );
    assert.equal(error.code, "HOST");
    assert.equal(error.cause, thrown);
    const [nonce] = undone;
    assert.deepEqual(undone, [nonce, { step: 2, text: "\0 \u{1f600}" }, nonce]);
    assertUntouched(place);
  });

  const things = [
    new Error("boom"),
    new TypeError(""),
    "text",
    "",
    0,
    null,
    undefined,
    Symbol("s"),
    { a: 1 },
    "half \ud800 pair",
    hostile(),
  ];
  test(`${how} errors of every kind are the cause of the failure`, async () => {
    for (const callback of ["build", "verify", "detect"]) {
      for (const thing of callback === "build" ? things : things.slice(0, 1)) {
        const place = seed();
        const fail = wrap(() => {
          throw thing;
        });
        const more = callback === "build" ? made(fail) : { [callback]: fail };
        const error = await failure(migrate(options(place.path, more)));
        assert.ok(error instanceof CutoverError && error instanceof Error);
        assert.equal(error.code, "HOST");
        assert.ok(
          Object.hasOwn(error, "cause") && Object.is(error.cause, thing),
          `${callback} threw something else`,
        );
        assert.match(
          error.message,
          new RegExp(`the application's ${callback} failed: .+\\[cutover:HOST:.*\\]$`),
        );
        assertUntouched(place);
      }
    }
  });
}

/** An error whose members throw. */
function hostile() {
  const trap = () => {
    throw new Error("do not look");
  };
  return new Proxy(
    {},
    { get: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap, has: trap },
  );
}

test("the failure has the first error as its cause, also when undo fails too", async () => {
  const place = seed();
  const boom = () => {
    throw new Error("undo");
  };
  const first = new Error("build");
  const error = await failure(
    migrate(options(place.path, { ...made(() => Promise.reject(first)), undo: boom })),
  );
  assert.equal(error.cause, first);
  assert.equal(error.data.state, "v1");
  // The journal stays, so that the next start undoes the rest.
  assert.ok(place.names().includes("data.db.v1-v2-cutover.json"), String(place.names()));
  const undone = [];
  const { outcome, recovery } = await migrate(
    options(place.path, { undo: (_, { nonce }) => void undone.push(nonce) }),
  );
  assert.deepEqual([outcome, recovery, undone.length], ["migrated", "undone", 1]);
  assertUpgraded(place);
});

test("an undo that always fails is a warning, and cleanup gets its state", async () => {
  const place = seed();
  const boom = () => {
    throw new Error("the keychain is locked");
  };
  let nonce;
  const build = async (job) => {
    await job.saveState({ key: job.nonce });
    nonce = job.nonce;
    throw new Error("build");
  };
  assert.equal(
    (await failure(migrate(options(place.path, { ...made(build), undo: boom })))).code,
    "HOST",
  );
  const cleaned = [];
  const cleanup = (state, at) => void cleaned.push(state, at);
  const { outcome, recovery, warnings } = await migrate(
    options(place.path, { undo: boom, cleanup }),
  );
  assert.deepEqual(
    [outcome, recovery, cleaned],
    ["migrated", "undone", [{ key: nonce }, { nonce }]],
  );
  assert.match(warnings[0].message, /the keychain is locked/);
  assertUpgraded(place);
});

test("a failed cleanup is a warning, and the next start tries again", async () => {
  const place = seed();
  const { outcome, warnings } = await migrate(
    options(place.path, { cleanup: () => Promise.reject(new Error("still in use")) }),
  );
  assert.equal(outcome, "migrated");
  assert.match(warnings[0].message, /still in use/);
  assertUpgraded(place);
  // The journal keeps only what the next try needs.
  const left = place.names().filter((name) => !name.endsWith("-lock"));
  assert.equal(left.length, 4, String(left));
  assert.ok(left.includes("data.db.v1-v2-cutover.json"));
  const nonces = [];
  const again = await migrate(
    options(place.path, { cleanup: (_, { nonce }) => void nonces.push(nonce) }),
  );
  assert.deepEqual([again.outcome, again.recovery, nonces.length], ["current", "cleaned", 1]);
  assert.equal(place.names().filter((name) => !name.endsWith("-lock")).length, 3);
});

test("a failed cleanup does not prevent a prune", async () => {
  const place = seed();
  const cleanup = () => Promise.reject(new Error("still in use"));
  const { backup } = await migrate(options(place.path));
  copyFileSync(backup, place.path);
  const { warnings } = await migrate(options(place.path, { cleanup, keepBackups: 1 }));
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["HOST"],
  );
  const names = place.names().filter((name) => !name.endsWith("-lock"));
  assert.equal(names.length, 4, String(names));
  // A restore would overwrite the journal.
  const [{ name }] = await listBackups(place.path);
  assert.equal((await failure(restore(place.path, name))).code, "JOURNAL");
  assert.equal((await recover(options(place.path))).recovery, "cleaned");
  await restore(place.path, name);
});

test("the upgrade checks the result of every callback", async () => {
  for (const [more, why] of [
    [{ detect: () => "v1" }, /the result of detect must be "old", "current" or "newer", not 'v1'/],
    [{ detect: () => undefined }, /the result of detect must be .*, not undefined/],
    [made(() => 7), /the result of make\.run must be an object, not 7/],
    [
      made(() => ({ expected: {} })),
      /the result of make\.run\.expected is unknown; the known members are expect, report/,
    ],
    [made(() => ({ expect: { note: -1 } })), /expect\.note must be a whole number from 0/],
    [made(() => ({ expect: { note: 1.5 } })), /expect\.note must be/],
    [made(() => ({ report: 1n })), /BigInt/],
    [made((job) => job.saveState(undefined)), /the state must be a value that JSON can hold/],
    [made((job) => job.saveState(1n)), /BigInt/],
  ]) {
    const place = seed();
    const error = await failure(migrate(options(place.path, more)));
    assert.equal(error.code, "HOST");
    assert.ok(error.cause instanceof TypeError);
    assert.match(error.cause.message, why);
    assertUntouched(place);
  }
});

test("a build gets its own copy of v1 when it asks for one", async () => {
  const place = seed();
  const copies = () => place.names().filter((name) => /\.source-[0-9a-f]{8}$/.test(name)).length;
  const run = async (job) => {
    assert.equal(copies(), 0);
    const source = await job.source();
    assert.ok(readFileSync(source).equals(readFileSync(place.path)));
    shell(source, "UPDATE notes SET body = body || '!'");
    assert.deepEqual([await job.source(), copies()], [source, 1]);
    await build(job);
  };
  const { backup } = await migrate(options(place.path, made(run)));
  assert.equal(shell(place.path, "SELECT group_concat(body) FROM note"), "a!,b!");
  assert.equal(shell(backup, "SELECT group_concat(body) FROM notes"), "a,b");
  assert.equal(copies(), 0);
});

test("where v2 starts as a copy, the copy that a build asks for is staging", async () => {
  const place = seed();
  const run = async (job) => {
    assert.equal(await job.source(), job.staging);
    shell(job.staging, "ALTER TABLE notes RENAME TO note; PRAGMA user_version=2");
  };
  await migrate(options(place.path, made(run, "copy")));
  assertUpgraded(place);
});

test("a v1 that another program wrote to is not copied, and the upgrade begins anew", async () => {
  const place = seed();
  const refused = [];
  const run = async (job) => {
    if (job.attempt === 1) shell(place.path, "INSERT INTO notes(body) VALUES ('c')");
    await job.source().catch((error) => {
      refused.push(error.message);
      throw error;
    });
    await build(job);
  };
  assert.equal((await migrate(options(place.path, made(run)))).outcome, "migrated");
  assert.equal(shell(place.path, "SELECT group_concat(body) FROM note"), "a,b,c");
  assert.deepEqual(refused, [
    "v1 cannot be copied: another program wrote to the database while it was upgraded",
  ]);
});

test("a newer database is refused before the upgrade touches anything", async () => {
  const place = seed();
  const error = await failure(migrate(options(place.path, { detect: () => "newer" })));
  assert.equal(error.code, "NEWER");
  assertUntouched(place);
});

test("the upgrade does not install a build that expects other rows", async () => {
  const place = seed();
  const error = await failure(
    migrate(
      options(
        place.path,
        made((job) => build(job).then(() => ({ expect: { note: 3 } }))),
      ),
    ),
  );
  assert.equal(error.code, "VERIFY");
  assertUntouched(place);
});
