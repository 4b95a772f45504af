// The selected step of the lanes, in words.
import type { Finding, Held, Lanes, Plan, Step } from "cutover-wasm/explore";
import { h } from "./dom.js";
import { held as words, tell } from "./words.js";

/** Describes the step in column `at`: what it does and why, and what each file holds after it. */
export function stepDetails(
  plan: Plan,
  { files, before, columns }: Lanes,
  step: Step,
  at: number,
  findings: readonly Finding[],
): (HTMLElement | "" | null)[] {
  const { skipped, held } = columns[at] ?? { skipped: false, held: before };
  const mark =
    at === plan.flipAt
      ? "The flip: this makes v2 canonical. "
      : at === plan.cleanupFrom
        ? "From this step on a failure is only a warning. "
        : "";
  const previous = columns[at - 1]?.held ?? before;
  const is = (held: Held[], lane: number) =>
    held[lane]?.now !== null || held[lane]?.durable !== null;
  const list = files.flatMap(({ name }, lane) =>
    is(held, lane) || is(previous, lane) ? [{ name, after: held[lane] as Held }] : [],
  );
  return [
    h("p", { class: "count" }, `Step ${at + 1} of ${columns.length}`, h("code", {}, step.do.op)),
    h("p", { class: "what" }, `${tell(step.do)}.`),
    h("p", {}, h("b", {}, "Why: "), `${step.why}.`),
    mark && h("p", { class: "mark-flip" }, mark),
    ...findings.map(({ kind, message, why }) =>
      h("p", { class: "breaks" }, h("code", {}, kind), ` ${message}${why ? `: ${why}` : ""}`),
    ),
    step.when &&
      h(
        "p",
        { class: "hint" },
        `Only ${CONDITION[step.when.if]}${skipped ? ": skipped here." : "."}`,
      ),
    h(
      "table",
      { class: "after" },
      h("caption", {}, "After the step"),
      h(
        "thead",
        {},
        h("tr", {}, ...["file", "holds", "durable"].map((name) => h("th", { scope: "col" }, name))),
      ),
      h(
        "tbody",
        {},
        ...list.map(({ name, after }) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("code", {}, name)),
            ...[after.now, after.durable].map((what) =>
              h("td", {}, what ? words(what) : "not there"),
            ),
          ),
        ),
      ),
    ),
  ];
}

const CONDITION: Record<NonNullable<Step["when"]>["if"], string> = {
  "staging-held": "if a leaked connection still holds the built file",
  "staging-free": "if no process holds the built file",
  "companion-staged": "if the application staged a new companion",
  "companion-staged-over-change":
    "if the application staged a new companion and the companion changed meanwhile",
  "companion-changed": "if the companion changed meanwhile",
  "companion-differs": "if the companion is not as it was",
};
