// One start of the application of tests/rust on a database, and the checks of its directory
// afterwards.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { differences, expectedV2, facts } from "../corpus/compare.js";
import { corpus, rust, scratch, wasKilled } from "../corpus/corpus.js";

export const HOW = ["sql", "sql-copy", "host", "host-copy"] as const;
export type How = (typeof HOW)[number];

export interface Started {
  /** The points that the start reached, in order. A kill is at the last. */
  points: string[];
  /** The largest size of the directory at any point, bytes. */
  peakBytes: number;
  killed: boolean;
  /** MigrateResult, or the failure. A killed start has none. */
  result: {
    outcome?: string;
    recovery?: string;
    backup?: string | null;
    message?: string;
    report?: unknown;
  } | null;
}

/** Starts the application, `under` another program if one is named. It kills itself at `point`. */
export function start(database: string, how: How, point = 0, under: string[] = []): Started {
  const [command = "", ...args] = [...under, rust("upgrade"), database, how, String(point)];
  const ended = spawnSync(command, args, { encoding: "utf8" });
  const { status, signal, stdout, stderr } = ended;
  const lines = stdout.split("\n").slice(0, -1);
  const killed = wasKilled(ended) && status !== 1;
  assert.ok(
    killed || status === 0 || status === 1,
    `upgrade ended with ${status ?? signal}: ${stderr}`,
  );
  const result = killed ? null : (JSON.parse(lines.pop() ?? "") as Started["result"]);
  const parsed = lines.map((line) => /^\d+ (\d+) (.*)$/.exec(line) ?? []);
  return {
    points: parsed.map(([, , what]) =>
      (what ?? "").replaceAll(/\d{13}-[0-9a-f]{8}|[0-9a-f]{8}(?=\.|$)/g, "*"),
    ),
    peakBytes: Math.max(...parsed.map(([, bytes]) => Number(bytes))),
    killed,
    result,
  };
}

/** The facts of the v2 that this v1 must become. */
export function v2Of(v1: string, how: How): string[] {
  const [sql, from] = how.endsWith("-copy")
    ? (["v2-copy.sql", "copy"] as const)
    : (["v2.sql", "empty"] as const);
  return facts(expectedV2(v1, corpus(sql), from), { withoutFtsIndex: true });
}

/** A v1, one way to upgrade it, and the checks of the result. */
export class Case {
  readonly directory: string;
  readonly v1: string[];
  readonly v2: string[];

  constructor(
    readonly seeded: string,
    readonly how: How,
  ) {
    this.directory = dirname(seeded);
    this.v1 = facts(seeded);
    this.v2 = v2Of(seeded, how);
    writeFileSync(join(this.directory, "auth.json"), "v1 secret");
  }

  /** Makes a copy of the whole directory. Returns the path of the database in the copy. */
  copy(): string {
    const directory = scratch();
    cpSync(this.directory, directory, { recursive: true });
    return join(directory, "data.db");
  }

  /** Checks that canonical is a whole v1 or a whole v2. */
  which(database: string): "v1" | "v2" {
    const notV1 = differences(this.v1, facts(database));
    if (notV1.length === 0) return "v1";
    assert.deepEqual(
      differences(this.v2, facts(database, { withoutFtsIndex: true })),
      [],
      "neither a whole v1 nor a whole v2",
    );
    return "v2";
  }

  /**
   * Checks the end: v2 is canonical, the only backup holds v1, the companion fits, and no other
   * file is left. `v1` and `v2` differ from the seed if an older application wrote.
   */
  assertOver(database: string, v1 = this.v1, v2 = this.v2): void {
    const directory = dirname(database);
    assert.deepEqual(
      differences(v2, facts(database, { withoutFtsIndex: true })),
      [],
      "v2 is not whole",
    );
    const names = readdirSync(directory).filter(
      (name) => !/^(data\.db\.(owner|cutover)|auth\.json\.cutover)-lock$/.test(name),
    );
    const backups = names.filter((name) => /^data\.db\.v1-v2-\d{13}-[0-9a-f]{8}$/.test(name));
    assert.equal(backups.length, 1, `there must be one backup: ${names.join(", ")}`);
    const backup = backups[0] as string;
    assert.deepEqual(differences(v1, facts(join(directory, backup))), [], "the backup is not v1");
    const expected = ["auth.json", "data.db", backup, `${backup}.json`];
    if (this.how.startsWith("host")) {
      const secret = `auth.json.v1-v2-${backup.slice(-8)}`;
      expected.push(secret);
      assert.equal(readFileSync(join(directory, secret), "utf8"), "v1 secret");
      assert.equal(readFileSync(join(directory, "auth.json"), "utf8"), "v2 of v1 secret");
    }
    assert.deepEqual(names.sort(), expected.sort(), "something is left over, or missing");
  }
}
