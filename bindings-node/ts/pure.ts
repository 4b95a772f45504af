/**
 * The pure functions. They judge their arguments alone, and touch no disk. `cutover-wasm`,
 * `cutover-wasm/diagnose` and `cutover-wasm/explore` have them for browsers, under the same names.
 *
 * @module
 */
export { CutoverError } from "./error.js";
export { explainError, plan, planRecovery, validatePlan } from "./pure/plan.js";
export * from "./pure/diagnose.js";
export * from "./pure/explore.js";
export type * from "./generated.js";
