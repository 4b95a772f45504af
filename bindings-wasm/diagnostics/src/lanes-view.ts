// The plan, drawn: a lane per file, a column per step, and what the step that is looked at leaves.
import { planLanes, type Finding, type Given, type Held, type Holds, type Lanes, type Plan, type Step } from "cutover-wasm/explore";
import { h, items, replace } from "./dom.js";
import { held as words, PURPOSE, tell } from "./words.js";

/** `given`: what the plan is in, or follows from. */
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
      replace(drawing, lanes && drawn(plan, findings, lanes), left > 0 && h("p", { class: "hint" }, `The page does not draw the last ${left} of ${count} steps.`));
    } catch (error) {
      replace(drawing, h("p", { class: "hint" }, `The page could not draw the plan: ${error instanceof Error ? error.message : String(error)}`));
    }
    drawing.ariaBusy = "false";
  }
  void draw();
  return h(
    "section",
    { class: "lanes", "aria-labelledby": "lanes-title" },
    h("h3", { id: "lanes-title" }, `The plan to ${PURPOSE[plan.kind]}, in ${count} ${count === 1 ? "step" : "steps"}`),
    h("p", { class: "hint" }, "A lane per file, a column per step; canonical is the name that the application opens. The upper half is what the file holds, the lower what is sure to be there after a power loss. ← → step, Home and End jump."),
    guarded && h("p", {}, box, h("label", { for: "held" }, " a closed connection still holds what the application built")),
    drawing,
    plan.kind !== "undo" && plan.undo.length > 0 && undo(plan.undo),
  );
}

function undo(steps: Step[]): HTMLElement {
  const title = `If a step up to the flip fails: ${steps.length} steps to undo it`;
  return h("details", {}, h("summary", {}, title), h("ol", { class: "undo" }, ...items(steps, (step) => h("li", {}, tell(step.do), h("span", {}, ` – ${step.why}`)))));
}

function drawn(plan: Plan, findings: readonly Finding[], { files, before, columns }: Lanes): HTMLElement {
  const cells: HTMLElement[][] = columns.map(() => []);
  const stepOf = ({ undo, index }: Lanes["columns"][number]) => (undo ? plan.undo : plan.steps)[index] as Step;
  const wrong = (at: number) => findings.filter(({ step, undo }) => columns[at]?.index === step && columns[at]?.undo === undo);
  const first = columns.findIndex((_, at) => wrong(at).length > 0);
  let at = Math.max(0, Math.min(first < 0 ? (plan.flipAt ?? 0) : first, columns.length - 1));
  const steps = columns.map(stepOf);
  const buttons = columns.map(({ skipped }, index) =>
    h("button", { type: "button", tabindex: -1, class: `${skipped ? "skipped" : index === plan.flipAt ? "flip" : ""} ${wrong(index).length > 0 ? "wrong" : ""}`, "aria-label": `Step ${index + 1}: ${tell((steps[index] as Step).do)}${wrong(index).length > 0 ? ", is not the right one" : ""}`, click: () => go(index) }, String(index + 1)),
  );
  const rows = files.map(({ name, role }, lane) => {
    let last = before[lane] as Held;
    const first = h("td", { class: "before" }, half("now", last.now, true), half("durable", last.durable, true));
    const row = columns.map(({ held }, index) => {
      const after = held[lane] as Held;
      const cell = h("td", { class: after.now === last.now && after.durable === last.durable ? "" : "changed" }, half("now", after.now, after.now !== last.now), half("durable", after.durable, after.durable !== last.durable));
      cells[index]?.push(cell);
      last = after;
      return cell;
    });
    return h("tr", {}, h("th", { scope: "row" }, h("span", {}, role.replace("-", " ")), h("code", {}, name)), first, ...row);
  });
  const heads = columns.map((_, index) => h("th", { scope: "col" }, buttons[index]));
  const table = h(
    "table",
    { keydown: (event) => key(event as KeyboardEvent) },
    h("caption", { class: "visually-hidden" }, "What each file holds after each step. The step that is looked at is told below."),
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col" }, "before"), ...heads)),
    h("tbody", {}, ...rows),
  );
  const story = h("div", { class: "step", role: "status" });
  const scroll = h("div", { class: "scroll" }, table);

  function key(event: KeyboardEvent) {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: columns.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(Math.max(0, Math.min(to, columns.length - 1)));
    buttons[at]?.focus();
  }

  function go(to: number) {
    const [was, is] = [at, to];
    at = to;
    for (const [index, on] of [[was, false], [is, true]] as const) {
      const button = buttons[index];
      if (!button) continue;
      button.tabIndex = on ? 0 : -1;
      if (on) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
      for (const cell of cells[index] ?? []) cell.classList.toggle("here", on);
    }
    replace(story, ...told());
    show();
  }

  /** Only the lanes are moved, never the page. */
  function show() {
    const [cell] = cells[at] ?? [];
    if (cell) {
      const fixed = table.querySelector("th")?.offsetWidth ?? 0;
      if (cell.offsetLeft < scroll.scrollLeft + fixed || cell.offsetLeft + cell.offsetWidth > scroll.scrollLeft + scroll.clientWidth) {
        scroll.scrollLeft = cell.offsetLeft - fixed - (scroll.clientWidth - fixed) / 3;
      }
    }
  }

  function told() {
    const [column, step] = [columns[at], steps[at]];
    if (!column || !step) return [];
    const { skipped, held } = column;
    const mark = at === plan.flipAt ? "The flip: this makes v2 canonical. " : at === plan.cleanupFrom ? "From here on a failure is a warning only. " : "";
    const previous = columns[at - 1]?.held ?? before;
    const is = (held: Held[], lane: number) => held[lane]?.now !== null || held[lane]?.durable !== null;
    const list = files.flatMap(({ name }, lane) => (is(held, lane) || is(previous, lane) ? [{ name, after: held[lane] as Held }] : []));
    return [
      h("p", { class: "count" }, `Step ${at + 1} of ${columns.length}`, h("code", {}, step.do.op)),
      h("p", { class: "what" }, `${tell(step.do)}.`),
      h("p", {}, h("b", {}, "Why: "), `${step.why}.`),
      mark && h("p", { class: "mark-flip" }, mark),
      ...wrong(at).map(({ kind, message, why }) => h("p", { class: "breaks" }, h("code", {}, kind), ` ${message}${why ? `: ${why}` : ""}`)),
      step.when && h("p", { class: "hint" }, `Only ${CONDITION[step.when.if]}${skipped ? ": left out here." : "."}`),
      h(
        "table",
        { class: "after" },
        h("caption", {}, "After it"),
        h("thead", {}, h("tr", {}, ...["file", "holds", "durable"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, ...list.map(({ name, after }) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), ...[after.now, after.durable].map((what) => h("td", {}, what ? words(what) : "not there"))))),
      ),
    ];
  }

  go(at);
  // What is not on the page yet has no width.
  requestAnimationFrame(show);
  return h("div", {}, scroll, story);
}

const CONDITION: Record<NonNullable<Step["when"]>["if"], string> = {
  "staging-held": "where a closed connection still holds what was built",
  "staging-free": "where nobody holds what was built",
  "companion-staged": "where the application staged a new companion",
  "companion-staged-over-change": "where the companion was changed meanwhile",
  "companion-changed": "where the companion was changed meanwhile",
  "companion-differs": "where the companion is not as it was",
};

/** One half of a cell: a block in the colour of what it holds, its name where that begins. */
function half(kind: "now" | "durable", what: Holds | null, begins: boolean): HTMLElement {
  const tone = what === null ? "none" : what === "unflushed" || what === "not-known" ? "unflushed" : what === "copy-of-v1" ? "v1" : (/^(v1|v2|journal|receipt)/.exec(what)?.[1] ?? "other");
  const short = what && words(what).replace("journal: ", "").replace("copy of v1", "v1 copy");
  return h("span", { class: `half ${kind} ${tone}` }, begins && short !== null ? h("span", { class: "name" }, short) : h("span", { class: "visually-hidden" }, what ? words(what) : "not there"));
}
