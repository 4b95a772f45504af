// The form of the crash matrix. The real explorer runs in a worker.
import { explore, type Model, type Plan, type Question } from "cutover-wasm/explore";
import { crashStory } from "./crash-story.js";
import { announce, h, replace, the } from "./dom.js";
import { matrixTable, MODELS, STRATEGIES, type Strategy } from "./matrix-table.js";

/** Shows the settings of the matrix. `adopt` sets them to those of a plan. */
export function matrix(): { adopt: (plan: Plan) => void } {
  const strategy = choice("strategy", "How v2 becomes canonical", STRATEGIES);
  const platform = choice("matrix-platform", "On", { linux: "Linux or macOS", windows: "Windows" });
  const built = choice("built", "v2 is built", {
    "sql empty": "by SQL, in a new file",
    "sql copy": "by SQL, in a copy of v1",
    "host empty": "by the application, in a new file",
    "host copy": "by the application, in a copy of v1",
  });
  const boxes = (["M0", "M1", "M2", "M3"] as const).map((model) =>
    h("input", { type: "checkbox", value: model, id: `model-${model}`, checked: true }),
  );
  const models = h(
    "fieldset",
    {},
    h("legend", {}, "What stops the upgrade"),
    ...boxes.map((box) => h("label", { for: box.id }, box, ` ${MODELS[box.value as Model]}`)),
  );
  const compare = h("input", { type: "checkbox", id: "compare" });
  const go = h("button", { type: "submit", class: "primary" }, "Crash it everywhere");
  const cancel = h("button", { type: "button", hidden: true }, "Cancel");
  const bar = h("progress", { hidden: true, "aria-label": "Progress of the explorer" });
  const said = h("p", { class: "hint", id: "explored" });
  const shown = h("div", { class: "matrices" });
  const story = h("section", {
    class: "story",
    "aria-label": "The story of a crash",
    hidden: true,
  });
  const form = h(
    "form",
    { submit: (event) => (event.preventDefault(), void run()) },
    h("div", { class: "settings" }, strategy.row, platform.row, built.row),
    models,
    h("p", {}, compare, h("label", { for: "compare" }, " compare with two plain renames")),
    h("p", { class: "actions" }, go, cancel, bar),
  );
  replace(
    the("matrix", HTMLElement),
    h("h2", { id: "matrix-title" }, "What if the upgrade crashes right there?"),
    h(
      "p",
      { class: "hint" },
      "The explorer stops the upgrade at every instant of every step. It derives every state that the disk may then be in, and lets the next start recover from each state. It samples nothing.",
    ),
    form,
    said,
    shown,
    story,
  );
  const settle = () => {
    const windows = platform.select.value === "windows";
    models.hidden = windows;
    const renames = strategy.select.value === "two-rename";
    if (renames) built.select.value = "sql empty";
    built.select.disabled = renames;
    compare.disabled = renames || windows;
  };
  for (const { select } of [strategy, platform]) select.addEventListener("change", settle);
  settle();

  let aborter: AbortController | undefined;
  cancel.addEventListener("click", () => aborter?.abort());

  function question(by: string): Question {
    const [who, from] = (by === "two-rename" ? "sql empty" : built.select.value).split(" ");
    const windows = platform.select.value === "windows";
    return {
      strategy: by as Strategy,
      platform: windows ? "windows" : "linux",
      by: who as Question["by"],
      from: from as Question["from"],
      models: windows
        ? ["Windows"]
        : boxes.filter(({ checked }) => checked).map(({ value }) => value as Model),
    };
  }

  async function run() {
    aborter?.abort();
    const { signal } = (aborter = new AbortController());
    const asked = [
      strategy.select.value,
      ...(compare.checked && !compare.disabled ? ["two-rename"] : []),
    ].map(question);
    go.disabled = true;
    cancel.hidden = bar.hidden = false;
    bar.removeAttribute("value");
    story.hidden = true;
    replace(shown);
    said.textContent = "The explorer is running.";
    const since = performance.now();
    try {
      for (const [at, one] of asked.entries()) {
        const onProgress = ({ done, total }: { done: number; total: number }) => {
          bar.max = total;
          bar.value = done;
          said.textContent = `${STRATEGIES[one.strategy as Strategy]}: ${done.toLocaleString("en")} of ${total.toLocaleString("en")} crash states`;
        };
        const matrix = await explore(one, { signal, onProgress });
        shown.append(matrixTable(matrix, at, (cell, title) => crashStory(story, cell, title)));
      }
      said.textContent = `Explored in ${((performance.now() - since) / 1000).toFixed(1)} seconds. A cell has the number of states; click the cell for their stories.`;
      announce("The crash matrix is ready.");
    } catch (error) {
      said.textContent = signal.aborted
        ? "Cancelled."
        : `The page could not explore it: ${error instanceof Error ? error.message : String(error)}`;
      announce(said.textContent);
    } finally {
      go.disabled = false;
      cancel.hidden = bar.hidden = true;
    }
  }

  return {
    adopt(plan) {
      if (plan.journal === null || plan.kind !== "migrate") return;
      if (!plan.journal.strategy.startsWith("restore"))
        strategy.select.value = plan.journal.strategy;
      platform.select.value = plan.platform === "windows" ? "windows" : "linux";
      const ops = plan.steps.map(({ do: op }) => op);
      const { staging } = plan.journal.names;
      built.select.value = `${ops.some(({ op }) => op === "build-host") ? "host" : "sql"} ${ops.some((op) => op.op === "copy" && op.to === staging) ? "copy" : "empty"}`;
      settle();
    },
  };
}

function choice(id: string, label: string, options: Record<string, string>) {
  const select = h(
    "select",
    { id },
    ...Object.entries(options).map(([value, text]) => h("option", { value }, text)),
  );
  return { select, row: h("p", {}, h("label", { for: id }, label), select) };
}
