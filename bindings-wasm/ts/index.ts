/**
 * The planner of cutover for browsers, workers and Node. Nothing leaves the page.
 *
 * Call {@link load} once. Then the functions are those of `cutover/pure`, under the same names.
 * `cutover-wasm/diagnose` and `cutover-wasm/explore` have the other pure functions; each of the two
 * loads its own module of WebAssembly when it is first called.
 *
 * @module
 */
export { CutoverError } from "./error.js";
export type { Source } from "./module.js";
export * from "./plan.js";
export type * from "./generated.js";
