/**
 * The pure functions: they read and judge what they are given, and touch no disk. `cutover-wasm`, `cutover-wasm/diagnose` and
 * `cutover-wasm/explore` have them for browsers, under the same names.
 *
 * @module
 */
export { CutoverError, explainError } from "./error.js";
export { plan, planRecovery, validatePlan } from "./pure/plan.js";
export * from "./pure/diagnose.js";
export * from "./pure/explore.js";
export type * from "./generated.js";
