// The story of the start that a bundle describes, from its events. The page judges nothing by them,
// and skips anything that is not an event.
import type { Event } from "cutover-wasm";
import { h, items } from "./dom.js";
import { counted, PURPOSE } from "./words.js";

export function story(text: string): HTMLElement | null {
  const told = events(text)
    .map(tell)
    .filter((line) => line !== null);
  if (told.length === 0) return null;
  return h(
    "details",
    { class: "did", open: true },
    h("summary", {}, "What the start did, by its own events"),
    h(
      "ol",
      {},
      ...items(told, ([what, why]) => h("li", {}, what, why !== "" && h("span", {}, ` – ${why}`))),
    ),
  );
}

function events(text: string): Partial<Event>[] {
  try {
    const { events } = JSON.parse(text) as { events?: unknown };
    return Array.isArray(events)
      ? events.filter((event) => typeof event === "object" && event !== null)
      : [];
  } catch {
    return [];
  }
}

/** What happened and why. */
function tell(event: Partial<Event>): [string, string] | null {
  switch (event.type) {
    case "plan":
      return [
        `A plan to ${event.kind === undefined ? "go on" : (PURPOSE[event.kind] ?? event.kind)}, in ${event.steps === undefined ? "some steps" : counted(event.steps, "step")}`,
        "",
      ];
    case "step":
      return [
        `${event.undo === true ? "Undo: " : ""}${[event.op, event.file].filter(Boolean).join(" ")}`,
        String(event.why ?? ""),
      ];
    case "wait":
      return [
        `Waited ${event.delayMs} ms${event.file ? ` for ${event.file}` : ""}`,
        String(event.reason ?? ""),
      ];
    case "phase":
      return [`The journal says ${event.phase}, durably`, ""];
    case "warning":
      return ["A warning", String(event.warning?.message ?? "")];
    case "undo":
      return ["The start undoes its changes", String(event.reason ?? "")];
    case "recovered":
      return [`An interrupted upgrade was ${event.recovery}`, ""];
    default:
      return null;
  }
}
