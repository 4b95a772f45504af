// Plans, judges plans and explains errors.
import { opened } from "./error.js";
import { once, type Source } from "./module.js";
import init, * as wasm from "./wasm/cutover_wasm.js";
import type { Explanation, Finding, Observation, Plan, Request } from "./generated.js";

/**
 * Loads the module of these functions; a second call waits for the first. `source` says where the
 * bytes of the module are; without it they are read beside this file.
 *
 * @throws What `fetch` or `WebAssembly` throws. Then the next call tries again.
 */
export const load = (source?: Source): Promise<void> =>
  begin(source).then(() => {
    loaded = true;
  });

const begin = once(init, new URL("./wasm/cutover_wasm_bg.wasm", import.meta.url));
let loaded = false;

function planner(): typeof wasm {
  if (loaded) return wasm;
  throw new Error("cutover-wasm: its module is not loaded; call load() first, and wait for it");
}

/**
 * Plans a migration from an observation.
 *
 * @throws `CutoverError` when the migration is refused; `TypeError` when an argument is not what it
 * must be; `Error` before {@link load} has ended, as the other functions do.
 */
export function plan(observation: Observation, request: Request): Plan {
  return opened(planner().plan(JSON.stringify(observation), JSON.stringify(request)));
}

/**
 * Plans what a start must recover before it does anything else; `null` when there is nothing to
 * recover.
 *
 * @throws As {@link plan}.
 */
export function planRecovery(
  observation: Observation,
  { label, nonce }: { label: string; nonce: string },
): Plan | null {
  return opened(planner().planRecovery(JSON.stringify(observation), label, nonce));
}

/**
 * Judges a plan. With `target`, an observation of the directory that the plan is for, it also
 * compares the plan with that directory. A sound plan has no finding.
 *
 * @throws `TypeError` when `target` is not an observation.
 */
export function validatePlan(plan: Plan | string, target?: Observation): Finding[] {
  const text = typeof plan === "string" ? plan : (JSON.stringify(plan) ?? "");
  return opened(planner().validatePlan(text, target && JSON.stringify(target)));
}

/**
 * Explains a failure by the first short code, `cutover:<code>…`, in a text; `null` when the text
 * has no short code.
 */
export function explainError(error: unknown): Explanation | null {
  return opened(
    planner().explainError(
      error instanceof Error ? error.message : typeof error === "string" ? error : "",
    ),
  );
}
