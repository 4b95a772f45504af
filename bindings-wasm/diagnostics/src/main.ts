import "./style.css";
import { diagnose, load, type Platform } from "cutover-wasm/diagnose";
import { answer, busy, failed } from "./answer.js";
import { h, the } from "./dom.js";
import { dropped, loose, picked, type Found } from "./drop.js";
import { examples } from "./examples.js";
import { matrix } from "./matrix.js";
import { takeFiles, takeText, type How, type Taken } from "./take.js";

/** The longest text that the box shows, characters. A longer text would freeze the box. */
const MOST_SHOWN = 200_000;

const box = the("text", HTMLTextAreaElement);
const veil = the("veil", HTMLElement);
const crashes = matrix();
/** The case that is being judged. A new one ends it. */
let current = new AbortController();

/** How a case is judged again: another database is meant, or all pages are to be read. */
type Again = (more: Pick<How, "database" | "all">) => void;

/** Judges what the person gave, unless the person gave something else meanwhile. */
async function judge(
  title: string,
  take: (how: How) => Taken | Promise<Taken>,
  more: Pick<How, "database" | "all"> = {},
): Promise<void> {
  const since = performance.now();
  current.abort();
  const mine = (current = new AbortController());
  // The reading may be stopped, and what is known by then is still judged.
  const reading = new AbortController();
  mine.signal.addEventListener("abort", () => reading.abort());
  const { onProgress } = busy(title, () => reading.abort());
  const again: Again = (next) => void judge(title, take, { ...more, ...next });
  try {
    const how = { platform: platform(), onProgress, signal: reading.signal, ...more };
    const taken = await take(how);
    if (mine.signal.aborted) return;
    const diagnosis = await diagnose(taken.given);
    if (mine.signal.aborted) return;
    answer(diagnosis, taken, since, again);
    if (diagnosis.plan) crashes.adopt(diagnosis.plan);
  } catch (error) {
    if (!mine.signal.aborted) failed(title, error instanceof Error ? error.message : String(error));
  }
}

const text = (given: string, title?: string) =>
  void judge("the text", () => takeText(given, title));
const platform = () => (the("platform", HTMLSelectElement).value || null) as Platform | null;
const files = (found: Found) =>
  void judge(found.folder ?? "the files", (how) => takeFiles(found, how));

the("drop", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  text(box.value);
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text(box.value);
});

for (const [id, folder] of [
  ["files", false],
  ["folder", true],
] as const) {
  const input = the(id, HTMLInputElement);
  input.addEventListener("change", () => {
    if (!input.files?.length) return;
    files(folder ? picked(input.files) : loose(input.files));
    input.value = "";
  });
}

addEventListener("paste", (event) => {
  const data = event.clipboardData;
  if (
    !data ||
    (event.target instanceof HTMLElement &&
      event.target !== box &&
      event.target.matches("input, textarea, select"))
  )
    return;
  const pasted = data.getData("text/plain");
  event.preventDefault();
  if (data.files.length > 0) return files(loose(data.files));
  // The text before is another case, and both together would be neither.
  box.value = pasted.length <= MOST_SHOWN ? pasted : "";
  text(pasted, "the pasted text");
});

let over = 0;
addEventListener("dragenter", (event) => {
  event.preventDefault();
  over += 1;
  veil.hidden = false;
});
addEventListener("dragleave", () => {
  over -= 1;
  veil.hidden = over > 0 ? false : true;
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  over = 0;
  veil.hidden = true;
  if (!event.dataTransfer) return;
  const take = dropped(event.dataTransfer);
  let found: ReturnType<typeof take> | undefined;
  void judge("the dropped files", async (how) => {
    const { text, ...rest } = await (found ??= take());
    return rest.files.length > 0 || rest.folder !== null
      ? takeFiles(rest, how)
      : takeText(text, "the dropped text");
  });
});

/** A short code and nothing else: an address that another person made proves nothing. */
const CODE = /^[A-Za-z0-9_:-]{1,100}$/;

/** Judges a short code in the address: `#code`. */
function address(): void {
  let code = location.hash.slice(1);
  try {
    code = decodeURIComponent(code);
  } catch {
    // The code is judged undecoded.
  }
  if (CODE.test(code) && document.getElementById(code) === null)
    text(`#${code}`, "the code in the address");
}
addEventListener("hashchange", address);

/** Judges the bundle that a server encloses in the page. */
function enclosed(): void {
  const given = document.getElementById("given")?.textContent;
  if (given) text(given, "the bundle in the page");
}

function show(button: Element, title: string, given: Taken["given"]): void {
  document.querySelector("[data-example][aria-current]")?.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  box.value = given.text ?? "";
  void judge(title, () => ({ given, title, read: 0, size: 0, note: "This is an example." }));
}

// On a phone the examples are closed, so that the answer comes first.
the("examples-box", HTMLDetailsElement).open = matchMedia("(min-width: 56rem)").matches;
the("examples", HTMLElement).append(
  ...examples.map(({ id, title, about, given }) =>
    h(
      "li",
      {},
      h(
        "button",
        {
          type: "button",
          "data-example": id,
          click: (event) => show(event.currentTarget as Element, title, given),
        },
        h("b", {}, title),
        h("span", {}, about),
      ),
    ),
  ),
);

await load();
enclosed();
address();
document.documentElement.dataset["ready"] = "";
