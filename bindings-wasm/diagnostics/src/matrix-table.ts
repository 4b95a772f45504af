// One crash matrix as a table.
import type { Cell, CrashMatrix, Model } from "cutover-wasm/explore";
import { h } from "./dom.js";

export const MODELS: Record<Model, string> = {
  M0: "kill",
  M1: "power loss, in order",
  M2: "power loss, any order",
  M3: "power loss, half a rename",
  Windows: "power loss on Windows",
};
export const STRATEGIES = {
  "link-replace": "link and replace",
  "page-copy": "page copy",
  "two-rename": "two plain renames",
} as const;
export type Strategy = keyof typeof STRATEGIES;

/**
 * Draws a matrix: a row per step, a column per kind of crash. A cell has the number of states that the
 * crash may leave, and how many of them are bad. `at`: the number of the matrix on the page.
 */
export function matrixTable(
  { question, steps, cells, states, bad, broken, flips }: CrashMatrix,
  at: number,
  tell: (cell: Cell, title: string) => void,
): HTMLElement {
  const good = bad === 0 && broken === 0;
  const name = STRATEGIES[question.strategy as Strategy];
  const count = (number: number) => number.toLocaleString("en");
  const rows = steps.map((step, row) => {
    const buttons = question.models.map((model, column) => {
      const cell = cells[row]?.[column];
      if (!cell || cell.states === 0)
        return h(
          "td",
          { class: "none" },
          h("span", { class: "visually-hidden" }, "none"),
          h("span", { "aria-hidden": "true" }, "·"),
        );
      const ill = cell.bad + cell.broken > 0;
      const rest = ` ${ill ? "states bad" : cell.states === 1 ? "state, good" : "states, all good"}: ${step.op}${step.file === null ? "" : ` ${step.file}`}, ${MODELS[model]}`;
      return h(
        "td",
        {},
        h(
          "button",
          {
            type: "button",
            class: ill ? "bad" : "good",
            "data-cell": `${cell.states}/${cell.bad}/${cell.broken}`,
            click: () => tell(cell, `${name}, step ${row + 1}, ${step.op}: ${MODELS[model]}`),
          },
          h("span", { "aria-hidden": "true" }, ill ? "✕ " : "✓ "),
          ill ? `${cell.bad + cell.broken} of ${cell.states}` : cell.states,
          h("span", { class: "visually-hidden" }, rest),
        ),
      );
    });
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row", title: step.why },
        h("span", { class: "number" }, row + 1),
        h("code", {}, step.op),
        step.file !== null && h("small", {}, step.file),
      ),
      ...buttons,
    );
  });
  return h(
    "section",
    {
      class: "one",
      "aria-labelledby": `one-${at}`,
      "data-states": states,
      "data-bad": bad,
      "data-broken": broken,
    },
    h("h3", { id: `one-${at}` }, name),
    h(
      "p",
      { class: good ? "sum good" : "sum bad" },
      `${count(states)} crash states. From ${count(bad)} the next start ends badly; ${count(broken)} have no whole database, or no way to v1, until that start.`,
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": `Crash matrix of ${name}` },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", { scope: "col" }, "step"),
            ...question.models.map((model) => h("th", { scope: "col" }, MODELS[model])),
          ),
        ),
        h("tbody", {}, ...rows),
      ),
    ),
    flips.length > 0 && at === 0
      ? h(
          "details",
          {},
          h("summary", {}, "The flip alone, by each strategy"),
          h(
            "div",
            { class: "scroll", tabindex: 0, role: "region", "aria-label": "The flip alone" },
            h(
              "table",
              {},
              h(
                "thead",
                {},
                h(
                  "tr",
                  {},
                  ...["flip", "in order: states", "bad", "any order: states", "bad"].map((text) =>
                    h("th", { scope: "col" }, text),
                  ),
                ),
              ),
              h(
                "tbody",
                {},
                ...flips.map((flip) =>
                  h(
                    "tr",
                    {},
                    h("th", { scope: "row" }, flip.name),
                    ...[flip.ordered, flip.orderedBad, flip.unordered, flip.unorderedBad].map(
                      (number) => h("td", {}, number),
                    ),
                  ),
                ),
              ),
            ),
          ),
        )
      : null,
  );
}
