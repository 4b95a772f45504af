// The picture of a plan: a lane per file, a column per step, and the files after the selected step.
import { planLanes, type Finding, type Given, type Plan, type Step } from "cutover-wasm/explore";
import { h, items, replace } from "./dom.js";
import { lanesTable } from "./lanes-table.js";
import { counted, PURPOSE, tell } from "./words.js";

/** Draws a plan. `given` has the plan, or the directory that the plan follows from. */
export function lanesView(plan: Plan, findings: readonly Finding[], given: Given): HTMLElement {
  const count = plan.steps.length + (plan.kind === "undo" ? plan.undo.length : 0);
  const guarded = plan.steps.some(({ when }) => when?.if === "staging-held");
  const drawing = h("div");
  const box = h("input", { type: "checkbox", id: "held", change: () => void draw() });
  async function draw() {
    drawing.ariaBusy = "true";
    try {
      const lanes = await planLanes(given, { stagingHeld: box.checked });
      const left = count - (lanes?.columns.length ?? 0);
      replace(
        drawing,
        lanes && lanesTable(plan, findings, lanes),
        left > 0 &&
          h("p", { class: "hint" }, `The page does not draw the last ${left} of ${count} steps.`),
      );
    } catch (error) {
      replace(
        drawing,
        h(
          "p",
          { class: "hint" },
          `The page could not draw the plan: ${error instanceof Error ? error.message : String(error)}`,
        ),
      );
    }
    drawing.ariaBusy = "false";
  }
  void draw();
  return h(
    "section",
    { class: "lanes", "aria-labelledby": "lanes-title" },
    h(
      "h3",
      { id: "lanes-title" },
      `The plan to ${PURPOSE[plan.kind]}, in ${count} ${count === 1 ? "step" : "steps"}`,
    ),
    h(
      "p",
      { class: "hint" },
      "A lane per file, a column per step. Canonical is the name that the application opens. The upper half of a cell is what the file holds, the lower half what survives a power loss. ← and → move by a step, Home and End to the ends.",
    ),
    guarded &&
      h(
        "p",
        {},
        box,
        h(
          "label",
          { for: "held" },
          " a leaked connection still holds the file that the application built",
        ),
      ),
    drawing,
    plan.kind !== "undo" && plan.undo.length > 0 && undo(plan.undo),
  );
}

function undo(steps: Step[]): HTMLElement {
  const title = `If a step before the flip fails: ${counted(steps.length, "step")} to undo the plan`;
  return h(
    "details",
    {},
    h("summary", {}, title),
    h(
      "ol",
      { class: "undo" },
      ...items(steps, (step) => h("li", {}, tell(step.do), h("span", {}, ` – ${step.why}`))),
    ),
  );
}
