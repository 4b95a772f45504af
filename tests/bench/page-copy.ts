// The flip where canonical cannot be linked: SQLite's backup API copies v2's pages into it. The file
// is mounted onto itself, in a mount namespace that ends with the process.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { shell } from "../corpus/compare.js";
import { scratch } from "../corpus/corpus.js";
import { child, rounds, type Contender } from "./rounds.js";
import { row, type Section } from "./table.js";
import { contender, size } from "./upgrades.js";
import { literal, toV2, type V1 } from "./v1.js";

const mounted = (path: string): string[] => [
  ..."unshare --mount --propagation private sh -c".split(" "),
  'mount --bind "$0" "$0" && exec "$@"',
  path,
];

/** `v1` is in rollback mode, so that both write the same pages twice: to the file and its journal. */
export function pageCopySection(v1: V1, count: number): Section {
  const v2 = join(scratch(), "v2.db");
  shell(v2, `PRAGMA synchronous=OFF; ATTACH ${literal(v1.path)} AS v1; ${toV2("v1.notes")}`);
  const backup: Contender = {
    name: "sqlite3 shell: .backup of v2 over v1",
    once() {
      const directory = scratch();
      const to = v1.copy(directory);
      const output = child("backupOver", { path: v2, to });
      v1.checkV2(to);
      rmSync(directory, { recursive: true });
      return output;
    },
  };
  const cannot =
    process.platform === "linux" && process.getuid?.() === 0
      ? undefined
      : "needs root on Linux, to mount the database onto itself";
  const cutover = contender(v1, "cutover { sql }", "sql", { ours: true, cannot, under: mounted });
  const [alone, ours] = rounds(count, [backup, cutover]);
  if (!alone || !ours) throw new Error("no results");
  for (const { ops } of ours.outputs)
    if (!ops?.["page-copy"]) throw new Error("the database that was mounted was linked");
  return {
    title: `page copy, ${size(v1)}, v1 in rollback mode`,
    rows: [
      row(alone),
      row(ours, ({ ops }) => [ops?.["page-copy"] ?? NaN], { what: "cutover: the step page-copy" }),
      row(ours, undefined, { what: "cutover: the whole upgrade", compared: false }),
    ],
  };
}
