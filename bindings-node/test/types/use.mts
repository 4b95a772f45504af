// How an application uses the types, as ECMAScript modules.
import {
  CutoverError,
  explainError,
  listBackups,
  lock,
  migrate,
  plan,
  pruneBackups,
  restore,
  runPlan,
  type Backup,
  type Built,
  type Event,
  type Job,
  type OpName,
} from "cutover";
import { pauseAt, sweep, type Context, type SweepReport } from "cutover/testing";
import { exitCodes, main, type CliOptions, type ExitCode } from "cutover/cli";

interface Report {
  notes: number;
}

async function build(job: Job): Promise<Built<Report>> {
  const [row] = await job.v1.all<{ n: number }>("SELECT count(*) AS n FROM notes WHERE id > ?", [
    1n,
  ]);
  job.progress(1);
  const source: string = await job.source();
  const secret: string | null = await job.companion("auth").text();
  for await (const { id } of job.v1.iterate<{ id: number }>("SELECT id FROM notes"))
    console.log(id, source, secret);
  await job.companion("auth").write(new Uint8Array());
  return { expect: { note: row?.n ?? 0 }, report: { notes: 1 } };
}

export async function start(path: string): Promise<number | undefined> {
  const owner = await lock(path);
  const files: readonly string[] = owner.files;
  const options = {
    path,
    label: "v1-v2",
    detect: { stamp: { table: "info", column: "version", value: "v2" } },
    make: { from: "empty" as const, run: build },
    lock: owner,
    undo: (state: { step: number } | null) => console.log(state?.step),
    onEvent: (event: Event) => {
      // @ts-expect-error: it is no op.
      if (event.type === "step" && event.op === "coppy") return;
      const op: OpName | undefined = event.type === "wait" ? event.op : undefined;
      console.log(event.type === "wait" ? event.delayMs : event.type, op, files);
    },
  };
  const planned = await plan<{ step: number }, Report>(options);
  if (planned) await runPlan(planned, options);
  try {
    const { report } = await migrate<{ step: number }, Report>(options);
    return report?.notes;
  } catch (error) {
    if (error instanceof CutoverError)
      console.log(
        error.code === "HELD" ? error.holders[0]?.pid : error.os?.raw,
        explainError(error)?.hint,
      );
    throw error;
  }
}

/** Restores the newest whole backup. */
export async function back(path: string): Promise<string | undefined> {
  const backups: Backup[] = await listBackups(path);
  const whole = backups.find((backup) => backup.whole);
  if (!whole) return backups[0]?.why ?? undefined;
  const { displaced, companions } = await restore(path, whole.name, {
    companions: { auth: "auth.json" },
    unseen: "refuse",
    waitMs: 0,
  });
  const { removed, left } = await pruneBackups(path, { keep: 2, olderThanMs: 86_400_000 });
  console.log(
    companions.auth?.restored,
    removed.length,
    left.map(({ backup, why }) => `${backup}: ${why}`),
  );
  // @ts-expect-error the rule does not exist
  await pruneBackups(path, { newest: 1 });
  return displaced;
}

/** The command line of an application whose build has a report. */
export async function db(words: string[]): Promise<boolean> {
  const migrate = {
    path: "x",
    label: "x",
    detect: { userVersion: 2 },
    make: { from: "empty" as const, run: build },
  };
  const options: CliOptions = { name: "myapp db", migrate };
  const code: ExitCode = await main(words, options);
  // @ts-expect-error the option does not exist
  await main(words, { title: "myapp" });
  return code === exitCodes.inUse;
}

// The type of the report is the one of the build.
const inferred = await migrate({
  path: "x",
  label: "x",
  detect: { userVersion: 2 },
  make: { from: "copy", run: async () => ({ report: { n: 1 } }) },
});
export const n: number | undefined = inferred.report?.n;
await migrate({
  path: "x",
  label: "x",
  detect: { userVersion: 2 },
  make: { from: "copy", run: { sql: "" } },
  // @ts-expect-error the option does not exist
  keep: 1,
});
// @ts-expect-error JSON cannot hold the value
await migrate<bigint>({
  path: "x",
  label: "x",
  detect: { userVersion: 2 },
  make: { from: "copy", run: { sql: "" } },
});

export const begin = ({ directory, options }: Context) =>
  migrate(
    options<null, Report>({
      path: `${directory}/data.db`,
      label: "v1-v2",
      detect: { userVersion: 2 },
      make: { from: "empty", run: { sql: "" } },
    }),
  );
export const swept: Promise<SweepReport> = sweep({ scenario: new URL("file:///scenario.ts") });
export const paused = (path: string): Promise<{ outcome: string }> =>
  pauseAt("before-flip", (onEvent) => begin({ directory: path, options: (own) => own, onEvent }), (event) => event.type);
