/**
 * Tests of an application's own upgrade, for node:test, Vitest, Jest and `bun test`.
 *
 * ```ts
 * import { test } from "node:test";
 * import { sweep } from "cutover/testing";
 *
 * test("no crash costs a row", () => sweep({ scenario: new URL("./scenario.ts", import.meta.url) }));
 * ```
 *
 * @module
 */
export { pauseAt } from "./testing/pause.js";
export type { Point } from "./testing/points.js";
export type { CheckContext, Context, Scenario } from "./testing/scenario.js";
export type { SweepReport, Tried } from "./testing/report.js";
export { sweep, type SweepOptions } from "./testing/sweep.js";
