// What a sweep tries: a case is one or two starts, each with a fault, and one that must recover.
import type { Point } from "./points.js";
import type { Fault, Line } from "./task.js";

export const GROUPS = {
  plain: "without a fault",
  step: "killed before a step",
  callback: "killed in a callback",
  twice: "killed again in the recovery",
  throws: "a callback throws",
  held: "another process has the database open",
  second: "two starts at once",
  write: "another program writes to v1",
} as const;

export interface Case {
  /** What `only` and CUTOVER_REPLAY name. */
  id: string;
  group: keyof typeof GROUPS;
  faults: Fault[];
}

const kill = (at: Point): Fault => ({ kind: "kill", at });
const names = (lines: Line[]) => lines.flatMap((line) => ("point" in line ? [line.point] : []));

/** A kill at each point of a start without a fault. */
export function kills(plain: Line[]): Case[] {
  return names(plain).map((at) => ({
    id: at,
    group: at.startsWith("in-") ? "callback" : "step",
    faults: [kill(at)],
  }));
}

/**
 * A second kill at each point of the recoveries. Recoveries share most of their steps: the kill
 * between two steps of one is tried once, after the last first kill that leads there, since then the
 * application has done the most.
 */
export function twice(recovered: { first: Case; lines: Line[] }[]): Case[] {
  const cases = new Map<string, Case>();
  for (const { first, lines } of recovered) {
    let previous = "";
    for (const line of lines) {
      if (!("point" in line) || line.plan === null) continue;
      if (line.plan === "migrate") break;
      const name = line.point.replace(/:\d+$/, "");
      cases.set(`${line.plan} ${previous} ${name}`, {
        id: `${first.id}+${line.point}`,
        group: "twice",
        faults: [...first.faults, kill(line.point)],
      });
      previous = name;
    }
  }
  return [...cases.values()];
}

/** Each other fault. */
export function others(plain: Line[], path: string, writes: boolean): Case[] {
  const points = names(plain);
  const last = points.findLast((at) => at.startsWith("in-build"));
  const build = points.find((at) => at === "before-build");
  const lock = points.find((at) => at === "before-lock-v1");
  const at = (kind: "second" | "write" | "throw", group: Case["group"], point: Point | undefined): Case[] =>
    point ? [{ id: `${kind}:${point}`, group, faults: [{ kind, at: point }] }] : [];
  return [
    ...at("throw", "throws", last),
    { id: "held", group: "held", faults: [{ kind: "held", path }] },
    ...at("second", "second", build),
    ...(writes ? [...at("write", "write", build), ...at("write", "write", lock)] : []),
  ];
}
