// How time and memory grow: a few sizes of each dimension.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { listBackups } from "cutover";
import { scratch } from "../corpus/corpus.js";
import { child, median, rounds, type Contender, type Output } from "./rounds.js";
import { beside, fill, v2 } from "./starts.js";
import { columns, readable } from "./table.js";
import { contender, type How, type Upgrades } from "./upgrades.js";
import { V1 } from "./v1.js";

/** What was measured at each size. */
type Sizes = [size: number, outputs: Output[]][];

/** Makes backups with their receipts: copies of one that an upgrade made. Returns their folder. */
async function backups(count: number): Promise<string> {
  const path = new V1(0.01, 1024).copy(scratch());
  child("sql", { path });
  const folder = dirname(path);
  const [name, ms, nonce] =
    /^data\.db\.v1-v2-(\d+)-(\w+)$/m.exec(readdirSync(folder).join("\n")) ?? [];
  if (!name || !ms || !nonce) throw new Error(`there is no backup in ${folder}`);
  const renamed = (text: string, n: number) =>
    text
      .replaceAll(ms, String(Number(ms) - 1000 * n))
      .replaceAll(nonce, n.toString(16).padStart(8, "0"));
  const receipt = readFileSync(join(folder, `${name}.json`), "utf8");
  for (let n = 1; n < count; n += 1) {
    copyFileSync(join(folder, name), join(folder, renamed(name, n)));
    writeFileSync(join(folder, `${renamed(name, n)}.json`), renamed(receipt, n));
  }
  const whole = (await listBackups(path)).filter(({ whole }) => whole).length;
  if (whole !== count) throw new Error(`${whole} of ${count} backups are whole`);
  return folder;
}

/** Copies backups with their receipts beside a database. */
function keep(path: string, folder: string, count: number): string {
  const names = readdirSync(folder).filter((name) => /^data\.db\.v1-v2-.*-\w{8}$/.test(name));
  for (const name of names.slice(0, count))
    for (const file of [name, `${name}.json`])
      copyFileSync(join(folder, file), join(dirname(path), file));
  return path;
}

/** One size after another. */
async function each(sizes: number[], measure: (n: number) => Promise<Output[]>): Promise<Sizes> {
  const all: Sizes = [];
  for (const n of sizes) all.push([n, await measure(n)]);
  return all;
}

export async function* scaling(
  all: Upgrades[],
  quick: boolean,
): AsyncGenerator<[what: string, unit: string, sizes: Sizes]> {
  const outputs = (one: Contender, count = quick ? 2 : 5) => rounds(count, [one])[0]?.outputs ?? [];
  // One process makes many calls.
  const start = (path: string) =>
    outputs({ name: "start", ours: true, once: () => child("start", { path }) }, quick ? 1 : 3);
  const upgrade = (v1: V1, how: How = {}, work = "sql") =>
    outputs(contender(v1, "upgrade", work, { ours: true, ...how }));
  const small = new V1(1, 1024);

  yield ["upgrade, by bytes", "MB", all.map(({ v1, sql }) => [v1.megabytes, sql.outputs])];
  const megabytes = quick ? 5 : 70;
  yield [
    `upgrade of ${megabytes} MB, by rows`,
    "rows",
    [16384, 1024, 128].map((bytes) => new V1(megabytes, bytes)).map((v1) => [v1.rows, upgrade(v1)]),
  ];
  const files = quick ? [10, 1000] : [10, 1000, 10_000];
  yield [
    "start, by files in the folder",
    "files",
    files.map((n) => [n, start(fill(v2("wal"), n))]),
  ];
  yield [
    "upgrade of 1 MB, by files in the folder",
    "files",
    files.map((n) => [n, upgrade(small, { prepare: (path) => fill(path, n) })]),
  ];
  const processes = quick ? [0, 100] : [0, 100, 300];
  yield [
    "start, by other processes with 60 open files",
    "processes",
    await each(processes, (n) => beside(n, () => start(v2("wal")))),
  ];
  yield [
    "upgrade of 1 MB, by such processes",
    "processes",
    await each(processes, (n) => beside(n, () => upgrade(small))),
  ];
  yield [
    "upgrade of 1 MB by a callback, by companions",
    "companions",
    [0, 4, 16].map((companions) => [companions, upgrade(small, { companions }, "companions")]),
  ];
  const kept = quick ? [0, 50] : [0, 50, 200];
  const folder = await backups(Math.max(...kept));
  yield ["start, by backups", "backups", kept.map((n) => [n, start(keep(v2("wal"), folder, n))])];
  yield [
    "upgrade of 1 MB, by backups",
    "backups",
    kept.map((n) => [n, upgrade(small, { prepare: (path) => keep(path, folder, n) })]),
  ];
}

const WIDTHS = [46, 17, 10, 20, 10, 9];

export function printScalingHead(): void {
  const head = ["scaling", "", "median", "min .. max", "memory", "time"];
  console.log(`\n${columns([head], WIDTHS)}`);
}

/** One line a size; the last column compares with the first size. */
export function printScaling(what: string, unit: string, sizes: Sizes): void {
  const times = (outputs: Output[]) => outputs.flatMap(({ ms, all }) => all ?? [ms]);
  const first = median(times(sizes[0]?.[1] ?? []));
  const lines = sizes.map(([size, outputs], at) => {
    const values = times(outputs);
    const peaks = outputs.flatMap(({ peakKb }) => peakKb ?? []);
    return [
      at === 0 ? `  ${what}` : "",
      `${size.toLocaleString("en")} ${unit}`,
      readable(median(values)),
      `${readable(Math.min(...values))} .. ${readable(Math.max(...values))}`,
      readable(median(peaks) * 1024, "B"),
      `${(median(values) / first).toFixed(2)} x`,
    ];
  });
  console.log(columns(lines, WIDTHS));
}
