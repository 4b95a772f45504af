// Observations of the many directories that a start may find.
const sha = (digit) => String(digit).repeat(64);

/** The 100 bytes of the header of a database with two pages of 4096 bytes. */
export function headerBytes({ wal = false, changes = 7, userVersion = 1 } = {}) {
  const bytes = new Uint8Array(100);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("SQLite format 3\0"));
  view.setUint16(16, 4096);
  bytes.fill(wal ? 2 : 1, 18, 20);
  bytes.set([64, 32, 32], 21);
  for (const [at, value] of [
    [24, changes],
    [28, 2],
    [40, 1],
    [44, 4],
    [56, 1],
    [60, userVersion],
    [92, changes],
    [96, 3054000],
  ])
    view.setUint32(at, value);
  return bytes;
}

export const hex = (bytes) => Buffer.from(bytes).toString("hex");

export function database(inode, options = {}) {
  const bytes = headerBytes(options);
  const header = {
    pageSize: 4096,
    journalMode: options.wal ? "wal" : "delete",
    changeCounter: options.changes ?? 7,
    pageCount: 2,
    userVersion: options.userVersion ?? 1,
    applicationId: 0,
    bytes: hex(bytes),
  };
  return { size: 8192, fileId: inode, header, page1: sha(inode) };
}

export const plain = (size, fileId = "9") => ({ size, fileId, header: null, page1: null });

export const base = (more = {}) => ({
  platform: "linux",
  canonical: "data.db",
  files: { "data.db": database("1", { wal: true }) },
  journals: {},
  verdict: "old",
  holders: [],
  freeBytes: 1 << 30,
  canLink: true,
  companions: {},
  ...more,
});

export const request = (more = {}) => ({
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

/** Every observation and request that the tests plan a migration from. */
export function* migrations() {
  for (const platform of ["linux", "macos", "windows"])
    for (const canLink of [true, false])
      for (const by of ["sql", "host"])
        for (const from of ["empty", "copy"])
          for (const verify of [false, true])
            for (const wal of [false, true])
              for (const companion of [false, true]) {
                const companions = companion
                  ? {
                      auth: {
                        file: "auth.json",
                        path: "/home/ann/auth.json",
                        relative: "auth.json",
                        digest: sha("a"),
                        present: [],
                        same: [],
                      },
                    }
                  : {};
                yield [
                  base({
                    platform,
                    canLink,
                    companions,
                    files: { "data.db": database("1", { wal }) },
                  }),
                  request({ by, from, verify }),
                ];
              }
  yield [base({ freeBytes: 10 }), request()];
  yield [base({ holders: [{ pid: 7, name: "other", thisProcess: false }] }), request()];
  yield [base({ files: {} }), request()];
  yield [base({ files: { "data.db": plain(10) } }), request()];
}

/**
 * The directories of interrupted plans: each journal in each phase, with canonical v1, v2, changed
 * and missing.
 */
export function* recoveries(plan) {
  const settled = database("1");
  const built = database("2", { userVersion: 2 });
  for (const [observation, asked] of migrations()) {
    let journal;
    try {
      ({ journal } = plan(observation, asked));
    } catch {
      continue;
    }
    const { names } = journal;
    for (const phase of ["building", "built", "installing", "committed"]) {
      if (phase === "installing" && journal.strategy !== "page-copy") continue;
      const v1 = {
        fileId: "1",
        fingerprint: { size: 8192, header: settled.header.bytes },
        journalMode: "wal",
      };
      const v2 = { file: names.install, fileId: "2", size: 8192, page1: built.page1 };
      const text = JSON.stringify({
        ...journal,
        phase,
        v1,
        v2: phase === "building" ? null : v2,
        hostState: { a: [0.1, 1e300, -0, "é"] },
      });
      const files = { "data.db.v1-v2-cutover.json": plain(text.length, "7") };
      const of = (verdict, more) => ({
        ...observation,
        verdict,
        journals: { "data.db.v1-v2-cutover.json": text },
        files: { ...files, ...more },
      });
      yield of("old", { "data.db": settled, [names.install]: built });
      yield of("old", { "data.db": settled, [names.backup]: settled, [names.install]: built });
      yield of("old", {
        "data.db": database("1", { changes: 8 }),
        [names.staging]: plain(4096, "3"),
      });
      yield of("current", { "data.db": built, [names.backup]: settled });
      yield of(null, { "data.db": plain(100) });
      yield of(null, { [names.backup]: settled });
    }
  }
  const legacy = (phase, more = {}) =>
    JSON.stringify({
      version: 1,
      source: "/a/data.db",
      normalizedSource: "/a/data.db.source-0f0f0f0f",
      staging: "/a/data.db.building-0f0f0f0f",
      backup: "/a/data.db.v1-v2-900-0f0f0f0f",
      authPath: "/a/auth.json",
      authBackup: null,
      authExisted: false,
      nonce: "0f0f0f0f",
      phase,
      ...more,
    });
  for (const phase of ["building", "built", "canonical-moved", "committed"]) {
    const journals = { "data.db.v1-v2-migration.json": legacy(phase) };
    yield base({ journals, files: { "data.db": settled } });
    yield base({
      journals,
      verdict: null,
      files: { "data.db.v1-v2-900-0f0f0f0f": settled, "data.db.building-0f0f0f0f": built },
    });
    yield base({
      journals,
      verdict: "current",
      files: { "data.db": built, "data.db.v1-v2-900-0f0f0f0f": settled },
    });
  }
  for (const text of [
    null,
    "",
    "{",
    '{"version":99}',
    "[]",
    legacy("built", { source: "/elsewhere/other.db" }),
  ])
    for (const verdict of ["old", null])
      yield base({ verdict, journals: { "data.db.v1-v2-cutover.json": text } });
}
