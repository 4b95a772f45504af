// Measures cutover beside other ways to the same v2, in one run: `bench.js FOLDER-OF-PEERS [--quick]
// [--plot]`. It asserts nothing about time. Each v2 is checked, and one that lacks a row ends the run.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { shell } from "../corpus/compare.js";
import { costSections, sizeSection } from "./costs.js";
import { pageCopySection } from "./page-copy.js";
import { svg } from "./plot.js";
import { printScaling, printScalingHead, scaling } from "./scaling.js";
import { loadSection, startSections } from "./starts.js";
import { print, printHead, type Section } from "./table.js";
import {
  deafSection,
  flipSection,
  upgrades,
  upgradeSection,
  type Installed,
  type Upgrades,
} from "./upgrades.js";
import { V1 } from "./v1.js";

/** Megabytes, bytes a row, rounds. */
type Size = [megabytes: number, rowBytes: number, rounds: number];
const QUICK: Size[] = [
  [1, 1024, 3],
  [20, 1024, 2],
];
const WHOLE: Size[] = [
  [1, 1024, 11],
  [70, 1024, 5],
  [530, 65536, 3],
  [2000, 65536, 3],
];

const [folder = "", ...rest] = process.argv.slice(2);
const quick = rest.includes("--quick");
const root = fileURLToPath(new URL("../../../", import.meta.url));
// So that an interrupted run removes its databases.
process.on("SIGINT", () => process.exit(130));

function peersIn(folder: string): { installed: Installed; version: string } {
  const load = createRequire(join(folder, "package.json"));
  try {
    const { version } = load("better-sqlite3/package.json") as { version: string };
    return { installed: { folder, cannot: undefined }, version };
  } catch {
    const cannot = "cannot run: npm could not install better-sqlite3@12";
    return { installed: { folder, cannot }, version: "not there" };
  }
}

const { installed, version } = peersIn(folder);
const load = () =>
  loadavg()
    .map((n) => n.toFixed(1))
    .join(" ");
const { "@libsql/client": libsql } = (
  JSON.parse(readFileSync(join(root, "tests/package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  }
).dependencies;
const sqlite = shell(":memory:", "SELECT sqlite_version();")[0];
const about = `${cpus()[0]?.model}, ${cpus().length} cores; Node ${process.version}; sqlite3 ${sqlite}; better-sqlite3 ${version}; libSQL ${libsql}`;
console.log(`${about}\nload ${load()}; databases in ${tmpdir()}\n`);
printHead();

const sections: Section[] = [];
const show = (section: Section) => {
  sections.push(section);
  print(section);
};

show(loadSection(quick ? 5 : 20));
for await (const section of startSections(quick ? 1 : 3, 10_000, quick ? 100 : 300, installed))
  show(section);

const plotted: Section[] = sections.slice(1, 2);
const all: Upgrades[] = [];
for (const [megabytes, rowBytes, rounds] of quick ? QUICK : WHOLE) {
  const at = upgrades(new V1(megabytes, rowBytes), rounds, installed);
  all.push(at);
  const section = upgradeSection(at);
  plotted.push(section);
  show(section);
}
show(flipSection(all));
const [, , half] = all;
const long = half ?? (all.at(-1) as Upgrades);
show(deafSection(long, quick ? 2 : 3));
const { megabytes, rowBytes } = long.v1;
show(pageCopySection(new V1(megabytes, rowBytes, "delete"), quick ? 2 : 3));
const counted = quick ? 1 : 70;
for (const section of costSections(
  [new V1(counted, 1024), new V1(counted, 1024, "delete")],
  installed,
))
  show(section);
show(sizeSection(root));

printScalingHead();
for await (const [what, unit, sizes] of scaling(all, quick)) printScaling(what, unit, sizes);
console.log(`\nload at the end ${load()}`);

if (rest.includes("--plot")) {
  const path = join(root, "docs/bench.svg");
  writeFileSync(path, svg(plotted, about));
  console.log(`wrote ${path}`);
}
