// The report of a sweep, and its text.
import { GROUPS, type Case } from "./cases.js";

/** What was tried at one point. */
export interface Tried {
  /** The name of the case: a point, two points joined by `+`, or a fault and a point. */
  id: string;
  /** The kind of the fault. */
  group: Case["group"];
  /** What failed, or `null`. */
  failure: string | null;
  /** What the failed process printed. */
  printed: string;
}

/** The result of a sweep. */
export interface SweepReport {
  /** The URL of the scenario. */
  scenario: string;
  /** The runtime that ran it. */
  runtime: string;
  points: Tried[];
  /** The points that failed. */
  failures: Tried[];
  /** The faults that were not tried, and what they need. */
  notTried: { what: string; why: string }[];
  /** The report as a text. */
  table: string;
}

export function table(report: Omit<SweepReport, "table">): string {
  const { scenario, runtime, points, failures, notTried } = report;
  const rows = Object.entries(GROUPS).flatMap(([group, says]) => {
    const tried = points.filter((point) => point.group === group);
    const wrong = tried.filter((point) => point.failure !== null).length;
    if (tried.length === 0) return [];
    return [`  ${says.padEnd(38)}${String(tried.length).padStart(5)} tried ${String(wrong).padStart(5)} failed`];
  });
  const missing = notTried.map(({ what, why }) => `  not tried: ${what}: ${why}`);
  const wrong = failures.flatMap(({ id, failure, printed }) => [
    "",
    `✖ ${id}: ${failure}`,
    ...(printed ? [`  it printed: ${printed.trim().replaceAll("\n", "\n    ")}`] : []),
    `  to replay it, run this test with CUTOVER_REPLAY='${id}', or sweep with only: "${id}"`,
  ]);
  return [`cutover sweep of ${scenario} on ${runtime}`, ...rows, ...missing, ...wrong].join("\n");
}
