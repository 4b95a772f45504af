// Elements. Text from outside becomes text nodes and values of attributes, never markup.
type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined | ((event: Event) => void)>;

import { counted } from "./words.js";

/** An element. A function as an attribute listens to the event of that name. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  append(element, children);
  return element;
}

export function replace(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

function append(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : child);
  }
}

/** The items of a list, up to a limit: text from outside may make a list long. */
export function items<Item>(
  list: readonly Item[],
  item: (one: Item) => HTMLElement,
): HTMLElement[] {
  const left = list.length - MOST_ITEMS;
  return [
    ...list.slice(0, MOST_ITEMS).map(item),
    ...(left > 0 ? [h("li", {}, `… and ${left} more.`)] : []),
  ];
}
const MOST_ITEMS = 200;

/** The element of the page that has this id. */
export function the<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/** Tells a screen reader. */
export function announce(text: string): void {
  the("status", HTMLElement).textContent = text;
}

/** A button that copies a text to the clipboard and says so. */
export function copyButton(label: string, text: () => string): HTMLButtonElement {
  const button = h("button", { type: "button", click: () => void copy() }, label);
  async function copy() {
    const done = (await copied(text())) ? "Copied" : "Not copied";
    button.textContent = done;
    announce(done);
    setTimeout(() => (button.textContent = label), 1500);
  }
  return button;
}

/** Copies a text. A page without https from another machine has no `navigator.clipboard`. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "visually-hidden", "aria-hidden": "true" });
    area.value = text;
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}

export function bytes(count: number): string {
  if (count < 1024) return counted(count, "byte");
  const unit = Math.min(4, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** unit).toFixed(1)} ${["", "KB", "MB", "GB", "TB"][unit]}`;
}
