// The lanes as a table: a lane per file, a column per step.
import type { Finding, Held, Holds, Lanes, Plan, Step } from "cutover-wasm/explore";
import { h, replace } from "./dom.js";
import { stepDetails } from "./lanes-step.js";
import { held as words, tell } from "./words.js";

/** Draws the lanes of a plan, and below them the selected step. */
export function lanesTable(plan: Plan, findings: readonly Finding[], lanes: Lanes): HTMLElement {
  const { files, before, columns } = lanes;
  const cells: HTMLElement[][] = columns.map(() => []);
  const stepOf = ({ undo, index }: Lanes["columns"][number]) =>
    (undo ? plan.undo : plan.steps)[index] as Step;
  const wrong = (at: number) =>
    findings.filter(({ step, undo }) => columns[at]?.index === step && columns[at]?.undo === undo);
  const first = columns.findIndex((_, at) => wrong(at).length > 0);
  let at = Math.max(0, Math.min(first < 0 ? (plan.flipAt ?? 0) : first, columns.length - 1));
  const steps = columns.map(stepOf);
  const buttons = columns.map(({ skipped }, index) =>
    h(
      "button",
      {
        type: "button",
        tabindex: -1,
        class: `${skipped ? "skipped" : index === plan.flipAt ? "flip" : ""} ${wrong(index).length > 0 ? "wrong" : ""}`,
        "aria-label": `Step ${index + 1}: ${tell((steps[index] as Step).do)}${wrong(index).length > 0 ? ", is not the right step" : ""}`,
        click: () => go(index),
      },
      String(index + 1),
    ),
  );
  const rows = files.map(({ name, role }, lane) => {
    let last = before[lane] as Held;
    const first = h(
      "td",
      { class: "before" },
      half("now", last.now, true),
      half("durable", last.durable, true),
    );
    const row = columns.map(({ held }, index) => {
      const after = held[lane] as Held;
      const cell = h(
        "td",
        { class: after.now === last.now && after.durable === last.durable ? "" : "changed" },
        half("now", after.now, after.now !== last.now),
        half("durable", after.durable, after.durable !== last.durable),
      );
      cells[index]?.push(cell);
      last = after;
      return cell;
    });
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("span", {}, role.replace("-", " ")), h("code", {}, name)),
      first,
      ...row,
    );
  });
  const heads = columns.map((_, index) => h("th", { scope: "col" }, buttons[index]));
  const table = h(
    "table",
    { keydown: (event) => key(event as KeyboardEvent) },
    h(
      "caption",
      { class: "visually-hidden" },
      "What each file holds after each step. The selected step is described below.",
    ),
    h(
      "thead",
      {},
      h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col" }, "before"), ...heads),
    ),
    h("tbody", {}, ...rows),
  );
  const story = h("div", { class: "step", role: "status" });
  const scroll = h("div", { class: "scroll" }, table);

  function key(event: KeyboardEvent) {
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: columns.length - 1 }[
      event.key
    ];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    go(Math.max(0, Math.min(to, columns.length - 1)));
    buttons[at]?.focus();
  }

  function go(to: number) {
    const [was, is] = [at, to];
    at = to;
    for (const [index, on] of [
      [was, false],
      [is, true],
    ] as const) {
      const button = buttons[index];
      if (!button) continue;
      button.tabIndex = on ? 0 : -1;
      if (on) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
      for (const cell of cells[index] ?? []) cell.classList.toggle("here", on);
    }
    const step = steps[at];
    if (step) replace(story, ...stepDetails(plan, lanes, step, at, wrong(at)));
    show();
  }

  /** Scrolls the lanes to the selected step, never the page. */
  function show() {
    const [cell] = cells[at] ?? [];
    if (cell) {
      const fixed = table.querySelector("th")?.offsetWidth ?? 0;
      if (
        cell.offsetLeft < scroll.scrollLeft + fixed ||
        cell.offsetLeft + cell.offsetWidth > scroll.scrollLeft + scroll.clientWidth
      ) {
        scroll.scrollLeft = cell.offsetLeft - fixed - (scroll.clientWidth - fixed) / 3;
      }
    }
  }

  go(at);
  // The table has no width before it is on the page.
  requestAnimationFrame(show);
  return h("div", {}, scroll, story);
}

/**
 * One half of a cell: a block in the colour of its content, with the name where the content begins.
 */
function half(kind: "now" | "durable", what: Holds | null, begins: boolean): HTMLElement {
  const tone =
    what === null
      ? "none"
      : what === "unflushed" || what === "not-known"
        ? "unflushed"
        : what === "copy-of-v1"
          ? "v1"
          : (/^(v1|v2|journal|receipt)/.exec(what)?.[1] ?? "other");
  const short = what && words(what).replace("journal: ", "").replace("copy of v1", "v1 copy");
  return h(
    "span",
    { class: `half ${kind} ${tone}` },
    begins && short !== null
      ? h("span", { class: "name" }, short)
      : h("span", { class: "visually-hidden" }, what ? words(what) : "not there"),
  );
}
