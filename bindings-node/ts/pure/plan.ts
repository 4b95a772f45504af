// Plans, judges plans and explains errors.
import { describe, opened } from "../error.js";
import type { Explanation, Finding, Observation, Plan, Request } from "../generated.js";
import { planner } from "../wasm.js";

/**
 * Plans a migration from an observation.
 *
 * @throws `CutoverError` when the migration is refused; `TypeError` when an argument is not what it
 * must be.
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
  return opened(planner().validatePlan(planText(plan), target && JSON.stringify(target)));
}

/**
 * Explains a failure by the first short code, `cutover:<code>…`, in a text: a `CutoverError`, its
 * message, or a line of a log. `null` when the text has no short code.
 */
export function explainError(error: unknown): Explanation | null {
  return opened(planner().explainError(describe(error)));
}

/** The text of a plan. A value that JSON cannot hold becomes an empty text, which is refused. */
export function planText(plan: Plan | string): string {
  return typeof plan === "string" ? plan : (JSON.stringify(plan) ?? "");
}
