// The stories of the crashes in one cell of the matrix.
import { replayCrash, type Cell } from "cutover-wasm/explore";
import { h, replace } from "./dom.js";

/** Lists the crashes of a cell, bad ones first, and tells the selected one in `story`. */
export function crashStory(story: HTMLElement, cell: Cell, title: string): void {
  const crashes = [...cell.crashes].sort((a, b) => Number(wrong(b)) - Number(wrong(a)));
  const lines = h("ol", { class: "lines" });
  const broken = h("p", { class: "broken" });
  const show = async (at: number) => {
    const crash = crashes[at];
    if (!crash) return;
    const what = [
      crash.broken &&
        `Before a recovery, rule ${crash.broken.rule} does not hold: ${crash.broken.what}.`,
      crash.bad && `After the next start, rule ${crash.bad.rule} does not hold: ${crash.bad.what}.`,
    ].filter(Boolean);
    broken.textContent =
      what.length > 0 ? what.join(" ") : "Every rule holds before and after the recovery.";
    broken.className = what.length > 0 ? "broken bad" : "broken";
    replace(lines, h("li", {}, "…"));
    try {
      const told = await replayCrash(crash.replay);
      replace(
        lines,
        ...(told ?? ["The explorer does not know this crash."]).map((line) =>
          h("li", { class: /^start \d+$/.test(line) ? "start" : "" }, line),
        ),
      );
    } catch (error) {
      replace(lines, h("li", {}, String(error)));
    }
  };
  const pick = h(
    "select",
    { id: "crash", change: () => void show(pick.selectedIndex) },
    ...crashes.map((crash, at) =>
      h(
        "option",
        {},
        `${at + 1}${wrong(crash) ? `: ${(crash.bad ?? crash.broken)?.rule} broken` : ""}`,
      ),
    ),
  );
  story.hidden = false;
  const heading = h("h3", { tabindex: -1 }, title);
  const listed =
    cell.crashes.length < cell.states ? `, the first ${cell.crashes.length} of ${cell.states}` : "";
  replace(
    story,
    heading,
    h("p", {}, h("label", { for: "crash" }, `Crash state${listed} `), pick),
    broken,
    lines,
  );
  heading.focus();
  void show(0);
}

const wrong = ({ bad, broken }: Cell["crashes"][number]) => bad !== null || broken !== null;
