// The answer: the verdict in words, then the evidence.
import type { Diagnosis } from "cutover-wasm/diagnose";
import { announce, bytes, copyButton, h, items, replace, the } from "./dom.js";
import { lanesView } from "./lanes-view.js";
import { markdown } from "./report.js";
import { story } from "./story.js";
import type { Taken } from "./take.js";
import { headline, KINDS, SHORT, three, where } from "./words.js";

/**
 * Shows the diagnosis of what the person gave. `since`: when the page began to judge, milliseconds
 * of the page's clock.
 */
export function answer(diagnosis: Diagnosis, taken: Taken, since: number): void {
  const section = the("answer", HTMLElement);
  section.dataset["safety"] = diagnosis.safety;
  section.dataset["kind"] = diagnosis.kind;
  const title = h("h2", { id: "answer-title", tabindex: "-1" }, headline(diagnosis));
  replace(section, verdict(diagnosis, taken, title), ...more(diagnosis, taken));
  const took = performance.now() - since;
  section.dataset["took"] = took.toFixed(1);
  const read = section.querySelector(".read");
  if (read)
    read.textContent = [
      `Judged in ${took.toFixed(took < 10 ? 1 : 0)} ms.`,
      taken.read < taken.size && `The page read ${bytes(taken.read)} of ${bytes(taken.size)}.`,
      taken.note,
      "The page sent nothing.",
    ]
      .filter(Boolean)
      .join(" ");
  announce(`${SHORT[diagnosis.safety]}. ${headline(diagnosis)}`);
  title.focus({ preventScroll: true });
  section.scrollIntoView({ block: "start" });
}

/** Shows that the page could not read what the person gave. */
export function failed(title: string, why: string): void {
  const section = the("answer", HTMLElement);
  section.dataset["safety"] = "cannot-tell";
  section.dataset["kind"] = "unknown";
  const heading = h(
    "h2",
    { id: "answer-title", tabindex: "-1" },
    "This is not enough to judge the data.",
  );
  replace(
    section,
    h(
      "div",
      { class: "verdict cannot-tell" },
      h("p", { class: "stamp" }, SHORT["cannot-tell"]),
      heading,
      h("p", { class: "because" }, `The page could not read ${title}: ${why}`),
    ),
  );
  announce("The page could not read it.");
  heading.focus();
}

function verdict(diagnosis: Diagnosis, taken: Taken, title: HTMLElement): HTMLElement {
  const { safety, because, kind, reply } = diagnosis;
  const places: [string, string, string | null][] = [
    ["Where is v1, the old database?", diagnosis.v1.says, diagnosis.v1.file],
    ["Where is v2, the upgraded one?", diagnosis.v2.says, diagnosis.v2.file],
    ["What will the next start do?", diagnosis.next, null],
    ["What should be done?", diagnosis.action, null],
  ];
  const text = () => markdown(diagnosis, taken.title);
  return h(
    "div",
    {},
    h(
      "div",
      { class: `verdict ${safety}` },
      h("p", { class: "stamp", "aria-hidden": "true" }, SHORT[safety]),
      title,
      h("p", { class: "because" }, ...prose(because)),
      h(
        "p",
        { class: "taken" },
        `Read as ${KINDS[kind]}: `,
        h("span", { class: "given" }, taken.title),
      ),
    ),
    h(
      "dl",
      { class: "places" },
      ...places.map(([question, says, file]) =>
        h(
          "div",
          {},
          h("dt", {}, question),
          h("dd", {}, ...prose(says), file !== null && !says.includes(file) && h("code", {}, file)),
        ),
      ),
    ),
    h(
      "section",
      { class: "reply", "aria-labelledby": "reply-title" },
      h(
        "h3",
        { id: "reply-title" },
        kind === "plan" ? "A reply to the sender of the plan" : "A reply to the customer",
      ),
      h("blockquote", {}, reply),
      h(
        "p",
        { class: "actions" },
        copyButton("Copy the reply", () => reply),
        copyButton("Copy all as Markdown", text),
        h(
          "button",
          { type: "button", click: () => save(text(), "cutover-report.md") },
          "Download the report",
        ),
      ),
    ),
    h("p", { class: "read" }),
  );
}

/** A text with its parts in backticks as code. */
function prose(text: string): (Node | string)[] {
  return text
    .split("`")
    .map((part, at) => (at % 2 === 1 ? h("code", { class: "inline" }, part) : part));
}

function save(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function more(diagnosis: Diagnosis, taken: Taken): (HTMLElement | null)[] {
  const { explanation, findings, plan, facts, backups, header, wal } = diagnosis;
  return [
    explanation &&
      h(
        "section",
        { class: "error", "aria-labelledby": "error-title" },
        h("h3", { id: "error-title" }, "The error"),
        h(
          "dl",
          {},
          ...three(explanation).map(([name, text]) =>
            h("div", {}, h("dt", {}, name), h("dd", {}, text)),
          ),
        ),
      ),
    findings.length > 0
      ? h(
          "section",
          { class: "findings", "aria-labelledby": "findings-title" },
          h(
            "h3",
            { id: "findings-title" },
            `${findings.length} ${findings.length === 1 ? "finding" : "findings"} in the plan`,
          ),
          h(
            "ol",
            {},
            ...items(findings, (finding) =>
              h(
                "li",
                {},
                h("p", {}, h("code", {}, finding.kind), ` ${where(finding)}`),
                h("p", {}, finding.message),
                finding.why && h("p", {}, h("b", {}, "Why: "), finding.why),
                h("p", { class: "fix" }, h("b", {}, "Fix: "), finding.hint),
              ),
            ),
          ),
        )
      : null,
    plan && lanesView(plan, findings, taken.given),
    diagnosis.kind === "bundle" ? story(taken.given.text ?? "") : null,
    facts.length > 0
      ? h(
          "section",
          { class: "facts", "aria-labelledby": "facts-title" },
          h("h3", { id: "facts-title" }, "What the page found"),
          h("ul", {}, ...items(facts, (fact) => h("li", {}, fact))),
        )
      : null,
    backups.length > 0
      ? h(
          "details",
          {},
          h("summary", {}, `Backups (${backups.length})`),
          h(
            "ul",
            {},
            ...items(backups, ({ name, size, whole, why, startedMs }) =>
              h(
                "li",
                {},
                h("code", {}, name),
                `, ${bytes(size)}, begun ${date(startedMs)}, ${whole ? "whole" : `not whole: ${why ?? ""}`}`,
              ),
            ),
          ),
        )
      : null,
    header && fields("The header of the database", header),
    wal && fields("The log of the database", wal),
  ];
}

/** The date of a backup. A hostile bundle may name any number. */
function date(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime())
    ? String(ms)
    : date.toISOString().slice(0, 16).replace("T", " ");
}

function fields(title: string, value: object): HTMLElement {
  return h(
    "details",
    {},
    h("summary", {}, title),
    h(
      "dl",
      { class: "fields" },
      ...Object.entries(value).map(([name, field]) =>
        h(
          "div",
          {},
          h("dt", {}, name),
          h("dd", {}, typeof field === "object" ? JSON.stringify(field) : String(field)),
        ),
      ),
    ),
  );
}
