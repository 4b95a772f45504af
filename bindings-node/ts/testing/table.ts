// The report as a text.
import { GROUPS } from "./cases.js";
import type { SweepReport } from "./sweep.js";

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
