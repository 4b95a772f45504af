// The answer: the verdict in words, then the evidence.
import type { Diagnosis } from "cutover-wasm/diagnose";
import { announce, bytes, copyButton, h, items, replace, the } from "./dom.js";
import { lanesView } from "./lanes-view.js";
import { markdown } from "./report.js";
import { story } from "./story.js";
import type { Taken } from "./take.js";
import { ANSWERS, headline, KINDS, SHORT, three, where } from "./words.js";

/**
 * Shows the diagnosis of what the person gave. `since`: when the page began to judge, milliseconds
 * of the page's clock.
 */
export function answer(
  diagnosis: Diagnosis,
  taken: Taken,
  since: number,
  again: (more: { database?: string; all?: boolean }) => void,
): void {
  const section = the("answer", HTMLElement);
  section.dataset["safety"] = diagnosis.safety;
  section.dataset["kind"] = diagnosis.kind;
  const title = h("h2", { id: "answer-title", tabindex: "-1" }, headline(diagnosis));
  replace(
    section,
    verdict(diagnosis, taken, title),
    which(diagnosis, taken, again),
    ...more(diagnosis, taken),
  );
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

/** Takes the old answer away, and tells how far the reading is. `stop` ends it. */
export function busy(
  title: string,
  stop: () => void,
): { onProgress: (doing: string, part: number) => void } {
  const section = the("answer", HTMLElement);
  for (const name of ["safety", "kind", "took"]) delete section.dataset[name];
  const bar = h("progress", { max: 1, "aria-label": "How far the reading is" });
  const doing = h("p", {}, `Reading ${title}`);
  const stopped = h("button", { type: "button", click: stop }, "Stop reading");
  replace(
    section,
    h("h2", { id: "answer-title", tabindex: "-1" }, "Judging"),
    h("div", { class: "busy" }, doing, bar, h("p", { class: "actions" }, stopped)),
  );
  return {
    onProgress(what, part) {
      doing.textContent = `${what}: ${Math.min(100, Math.floor(100 * part))} %`;
      bar.value = Math.min(1, part);
    },
  };
}

/** Asks which database is meant, and whether to read what is large. */
function which(
  { databases, path }: Diagnosis,
  { more }: Taken,
  again: (more: { database?: string; all?: boolean }) => void,
): HTMLElement | null {
  if (databases.length === 0 && !more) return null;
  return h(
    "section",
    { class: "which", "aria-labelledby": "which-title" },
    databases.length > 0 && h("h3", { id: "which-title" }, "Which database is meant?"),
    databases.length > 0 &&
      h(
        "ul",
        {},
        ...items(databases, (database) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                "data-database": database,
                "aria-current": database === path && "true",
                click: () => again({ database }),
              },
              database,
            ),
          ),
        ),
      ),
    more &&
      h(
        "p",
        { class: "actions" },
        databases.length === 0 && h("span", { id: "which-title" }, "There are pages left to read."),
        h(
          "button",
          { type: "button", "data-all": "", click: () => again({ all: true }) },
          "Read every page, however long it takes",
        ),
      ),
  );
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
  const { safety, because, kind, reply, intact, rows } = diagnosis;
  const claims: [string, Diagnosis["intact"]][] = [
    ["The file is intact", intact],
    ["Your rows are there", rows],
  ];
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
      origin(diagnosis),
    ),
    kind !== "plan" &&
      h(
        "dl",
        { class: "claims" },
        ...claims.map(([claim, { answer, says }]) =>
          h(
            "div",
            { class: answer },
            h("dt", {}, claim),
            h("dd", {}, h("b", {}, `${ANSWERS[answer]}. `), says),
          ),
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

/** Who made the bundle, when and where. */
function origin({ made, path }: Diagnosis): HTMLElement | null {
  if (!made) return null;
  const { atMs, cutover, sqlite, platform, arch, runtime } = made;
  return h(
    "p",
    { class: "made" },
    `Made ${date(atMs)} UTC on ${platform} ${arch}${runtime ? `, ${runtime}` : ""}, by cutover ${cutover} with SQLite ${sqlite}`,
    path !== null && h("span", {}, ", for ", h("code", {}, path)),
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
  const { explanation, findings, plan, facts, backups, header, wal, evidence } = diagnosis;
  return [
    evidence.length > 0
      ? h(
          "section",
          { class: "evidence", "aria-labelledby": "evidence-title" },
          h("h3", { id: "evidence-title" }, "What each piece says"),
          h(
            "ul",
            {},
            ...items(evidence, ({ name, kind, safety, says }) =>
              h("li", {}, h("b", {}, `${name} (${KINDS[kind]}): ${SHORT[safety]}. `), says),
            ),
          ),
        )
      : null,
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
