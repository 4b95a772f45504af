// The crash matrix: the real explorer, in a worker. Each step, each way to stop: how many states are left, and from how many of them a start ends badly.
import { explore, replayCrash, type Cell, type CrashMatrix, type Model, type Plan, type Question } from "cutover-wasm/explore";
import { announce, h, replace, the } from "./dom.js";

const MODELS: Record<Model, string> = {
  M0: "killed",
  M1: "power loss, in order",
  M2: "power loss, any order",
  M3: "power loss, half a rename",
  Windows: "power loss on Windows",
};
const STRATEGIES = { "link-replace": "link and replace", "page-copy": "page copy", "two-rename": "the field's two renames" } as const;
type Strategy = keyof typeof STRATEGIES;

/** Shows the matrix's settings; `adopt` sets them as a plan has them. */
export function matrix(): { adopt: (plan: Plan) => void } {
  const strategy = choice("strategy", "How v2 becomes canonical", STRATEGIES);
  const platform = choice("matrix-platform", "On", { linux: "Linux or macOS", windows: "Windows" });
  const built = choice("built", "v2 is built", { "sql empty": "by SQL, from nothing", "sql copy": "by SQL, from a copy of v1", "host empty": "by the application, from nothing", "host copy": "by the application, from a copy of v1" });
  const boxes = (["M0", "M1", "M2", "M3"] as const).map((model) => h("input", { type: "checkbox", value: model, id: `model-${model}`, checked: true }));
  const models = h("fieldset", {}, h("legend", {}, "How it stops"), ...boxes.map((box) => h("label", { for: box.id }, box, ` ${MODELS[box.value as Model]}`)));
  const compare = h("input", { type: "checkbox", id: "compare" });
  const go = h("button", { type: "submit", class: "primary" }, "Crash it everywhere");
  const cancel = h("button", { type: "button", hidden: true }, "Cancel");
  const bar = h("progress", { hidden: true, "aria-label": "How far the explorer is" });
  const said = h("p", { class: "hint", id: "explored" });
  const shown = h("div", { class: "matrices" });
  const story = h("section", { class: "story", "aria-label": "The story of a crash", hidden: true });
  const form = h(
    "form",
    { submit: (event) => (event.preventDefault(), void run()) },
    h("div", { class: "settings" }, strategy.row, platform.row, built.row),
    models,
    h("p", {}, compare, h("label", { for: "compare" }, " beside the field's two renames, to compare")),
    h("p", { class: "actions" }, go, cancel, bar),
  );
  replace(
    the("matrix", HTMLElement),
    h("h2", { id: "matrix-title" }, "What if it crashes right there?"),
    h("p", { class: "hint" }, "The explorer stops the upgrade at every instant of every step, works out every state that the disk may then be in, and lets the next start recover from each. Nothing is sampled."),
    form,
    said,
    shown,
    story,
  );
  const settle = () => {
    const windows = platform.select.value === "windows";
    models.hidden = windows;
    const field = strategy.select.value === "two-rename";
    if (field) built.select.value = "sql empty";
    built.select.disabled = field;
    compare.disabled = field || windows;
  };
  for (const { select } of [strategy, platform]) select.addEventListener("change", settle);
  settle();

  let aborter: AbortController | undefined;
  cancel.addEventListener("click", () => aborter?.abort());

  function question(by: string): Question {
    const field = by === "two-rename";
    const [who, from] = (field ? "sql empty" : built.select.value).split(" ");
    const windows = platform.select.value === "windows";
    return {
      strategy: by as Strategy,
      platform: windows ? "windows" : "linux",
      by: who as Question["by"],
      from: from as Question["from"],
      models: windows ? ["Windows"] : boxes.filter(({ checked }) => checked).map(({ value }) => value as Model),
    };
  }

  async function run() {
    aborter?.abort();
    const { signal } = (aborter = new AbortController());
    const asked = [strategy.select.value, ...(compare.checked && !compare.disabled ? ["two-rename"] : [])].map(question);
    go.disabled = true;
    cancel.hidden = bar.hidden = false;
    bar.removeAttribute("value");
    story.hidden = true;
    replace(shown);
    said.textContent = "The explorer is at work, in a worker of its own.";
    const since = performance.now();
    try {
      for (const [at, one] of asked.entries()) {
        const onProgress = ({ done, total }: { done: number; total: number }) => {
          bar.max = total;
          bar.value = done;
          said.textContent = `${STRATEGIES[one.strategy as Strategy]}: ${done.toLocaleString("en")} of ${total.toLocaleString("en")} crash states`;
        };
        shown.append(drawn(await explore(one, { signal, onProgress }), at, tell));
      }
      said.textContent = `Explored in ${((performance.now() - since) / 1000).toFixed(1)} seconds. A cell has the number of states; click it for their stories.`;
      announce("The crash matrix is there.");
    } catch (error) {
      said.textContent = signal.aborted ? "Cancelled." : `It could not be explored: ${error instanceof Error ? error.message : String(error)}`;
      announce(said.textContent);
    } finally {
      go.disabled = false;
      cancel.hidden = bar.hidden = true;
    }
  }

  /** Lists the crashes of a cell, the bad ones first, and tells the one that is picked. */
  function tell(cell: Cell, title: string) {
    const crashes = [...cell.crashes].sort((a, b) => Number(wrong(b)) - Number(wrong(a)));
    const lines = h("ol", { class: "lines" });
    const broken = h("p", { class: "broken" });
    const show = async (at: number) => {
      const crash = crashes[at];
      if (!crash) return;
      const what = [crash.broken && `Before any recovery ${crash.broken.rule} does not hold: ${crash.broken.what}.`, crash.bad && `After the next start ${crash.bad.rule} does not hold: ${crash.bad.what}.`].filter(Boolean);
      broken.textContent = what.length > 0 ? what.join(" ") : "Every rule holds, before and after the recovery.";
      broken.className = what.length > 0 ? "broken bad" : "broken";
      replace(lines, h("li", {}, "…"));
      try {
        const told = await replayCrash(crash.replay);
        replace(lines, ...(told ?? ["This crash cannot be told again."]).map((line) => h("li", { class: /^start \d+$/.test(line) ? "start" : "" }, line)));
      } catch (error) {
        replace(lines, h("li", {}, String(error)));
      }
    };
    const pick = h("select", { id: "crash", change: () => void show(pick.selectedIndex) }, ...crashes.map((crash, at) => h("option", {}, `${at + 1}${wrong(crash) ? `: ${(crash.bad ?? crash.broken)?.rule} broken` : ""}`)));
    story.hidden = false;
    const heading = h("h3", { tabindex: -1 }, title);
    const listed = cell.crashes.length < cell.states ? `, the first ${cell.crashes.length} of ${cell.states}` : "";
    replace(story, heading, h("p", {}, h("label", { for: "crash" }, `Crash state${listed} `), pick), broken, lines);
    heading.focus();
    void show(0);
  }

  return {
    adopt(plan) {
      if (plan.journal === null || plan.kind !== "migrate") return;
      if (!plan.journal.strategy.startsWith("restore")) strategy.select.value = plan.journal.strategy;
      platform.select.value = plan.platform === "windows" ? "windows" : "linux";
      const ops = plan.steps.map(({ do: op }) => op);
      const { staging } = plan.journal.names;
      built.select.value = `${ops.some(({ op }) => op === "build-host") ? "host" : "sql"} ${ops.some((op) => op.op === "copy" && op.to === staging) ? "copy" : "empty"}`;
      settle();
    },
  };
}

const wrong = ({ bad, broken }: Cell["crashes"][number]) => bad !== null || broken !== null;

function choice(id: string, label: string, options: Record<string, string>) {
  const select = h("select", { id }, ...Object.entries(options).map(([value, text]) => h("option", { value }, text)));
  return { select, row: h("p", {}, h("label", { for: id }, label), select) };
}

function drawn({ question, steps, cells, states, bad, broken, flips }: CrashMatrix, at: number, tell: (cell: Cell, title: string) => void): HTMLElement {
  const good = bad === 0 && broken === 0;
  const name = STRATEGIES[question.strategy as Strategy];
  const count = (number: number) => number.toLocaleString("en");
  const rows = steps.map((step, row) => {
    const buttons = question.models.map((model, column) => {
      const cell = cells[row]?.[column];
      if (!cell || cell.states === 0) return h("td", { class: "none" }, h("span", { class: "visually-hidden" }, "none"), h("span", { "aria-hidden": "true" }, "·"));
      const ill = cell.bad + cell.broken > 0;
      const rest = ` ${ill ? "states bad" : cell.states === 1 ? "state, good" : "states, all good"}: ${step.op}${step.file === null ? "" : ` ${step.file}`}, ${MODELS[model]}`;
      return h("td", {}, h("button", { type: "button", class: ill ? "bad" : "good", "data-cell": `${cell.states}/${cell.bad}/${cell.broken}`, click: () => tell(cell, `${name}, step ${row + 1}, ${step.op}: ${MODELS[model]}`) }, h("span", { "aria-hidden": "true" }, ill ? "✕ " : "✓ "), ill ? `${cell.bad + cell.broken} of ${cell.states}` : cell.states, h("span", { class: "visually-hidden" }, rest)));
    });
    return h("tr", {}, h("th", { scope: "row", title: step.why }, h("span", { class: "number" }, row + 1), h("code", {}, step.op), step.file !== null && h("small", {}, step.file)), ...buttons);
  });
  return h(
    "section",
    { class: "one", "aria-labelledby": `one-${at}`, "data-states": states, "data-bad": bad, "data-broken": broken },
    h("h3", { id: `one-${at}` }, name),
    h("p", { class: good ? "sum good" : "sum bad" }, `${count(states)} crash states: ${count(bad)} from which the next start ends badly, ${count(broken)} without a whole database or a way to v1 until then.`),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Crash matrix of ${name}` }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "step"), ...question.models.map((model) => h("th", { scope: "col" }, MODELS[model])))), h("tbody", {}, ...rows))),
    flips.length > 0 && at === 0
      ? h(
          "details",
          {},
          h("summary", {}, "The flip alone, by each strategy"),
          h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "The flip alone" }, h("table", {}, h("thead", {}, h("tr", {}, ...["flip", "in order: states", "bad", "any order: states", "bad"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...flips.map((flip) => h("tr", {}, h("th", { scope: "row" }, flip.name), ...[flip.ordered, flip.orderedBad, flip.unordered, flip.unorderedBad].map((number) => h("td", {}, number))))))),
        )
      : null,
  );
}
