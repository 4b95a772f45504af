// The table that is printed: one line a row, the same columns in each section.
import { median, type Output, type Result } from "./rounds.js";

export type Unit = "ms" | "%" | "B" | "calls";

export interface Row {
  what: string;
  /** All that was measured. */
  values: number[];
  unit?: Unit;
  /** Whether the row is compared with the first of its section. */
  compared?: boolean;
  /** The most memory of each process, KiB. */
  peaksKb?: number[];
  note?: string;
}

export interface Section {
  title: string;
  rows: Row[];
}

/** A number as a person reads it. */
export function readable(value: number, unit: Unit = "ms"): string {
  const short = (n: number) => (n < 10 ? n.toFixed(2) : n < 100 ? n.toFixed(1) : n.toFixed(0));
  if (unit === "%") return `${value.toFixed(1)} %`;
  if (unit === "calls") return String(value);
  const [large, units] =
    unit === "B" ? [1000, ["B", "KB", "MB", "GB"] as const] : [1000, ["ms", "s"] as const];
  let at = 0;
  while (Math.abs(value) >= large && at < units.length - 1) [value, at] = [value / large, at + 1];
  return `${unit === "B" && at === 0 ? value : short(value)} ${units[at]}`;
}

/** A row of a contender. `pick` takes from each run what the row shows. */
export function row(
  { name, outputs, cannot }: Result,
  pick: (output: Output) => number[] = ({ ms, all }) => all ?? [ms],
  more: Partial<Row> = {},
): Row {
  const peaksKb = outputs.flatMap(({ peakKb }) => peakKb ?? []);
  return {
    what: name,
    values: outputs.flatMap(pick),
    peaksKb,
    ...more,
    ...(cannot !== undefined && { note: cannot }),
  };
}

export const ratio = (values: number[], base: number[]): string =>
  values.length > 0 && base.length > 0 ? `${(median(values) / median(base)).toFixed(2)} x` : "";

const HEAD = ["", "median", "min .. max", "ratio", "memory", "n", ""];

function cells(row: Row, base: number[] | undefined): string[] {
  const { what, values, unit, compared = true, peaksKb = [], note = "" } = row;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return [
    `  ${what}`,
    values.length > 0 ? readable(median(values), unit) : "-",
    values.length > 1 ? `${readable(least, unit)} .. ${readable(most, unit)}` : "",
    compared && base ? ratio(values, base) : "",
    peaksKb.length > 0 ? readable(median(peaksKb) * 1024, "B") : "",
    values.length > 0 ? String(values.length) : "",
    note,
  ];
}

/** Columns as wide as what they hold; the first and the last are text, the others numbers. */
export function columns(lines: string[][], widths: number[]): string {
  const aligned = (cell: string, at: number, all: string[]) =>
    at === 0 || at === all.length - 1
      ? cell.padEnd(widths[at] ?? 0)
      : cell.padStart(widths[at] ?? 0);
  return lines.map((line) => line.map(aligned).join("  ").trimEnd()).join("\n");
}

export function printHead(): void {
  console.log(columns([HEAD], [58, 9, 20, 8, 8, 5, 0]));
}

export function print({ title, rows }: Section): void {
  const lines = rows.map((row) => cells(row, rows.length > 1 ? rows[0]?.values : undefined));
  console.log(`\n${title}\n${columns(lines, [58, 9, 20, 8, 8, 5, 0])}`);
}
