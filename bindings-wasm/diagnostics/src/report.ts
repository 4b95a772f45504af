// The answer as Markdown, for a ticket. Text from outside is escaped, because a ticket system
// renders Markdown, and some render HTML.
import type { Diagnosis } from "cutover-wasm/diagnose";
import { ANSWERS, counted, headline, KINDS, SHORT, three, where } from "./words.js";

const plain = (text: string) => text.replace(/[\\`*_[\]<>|#&~]/g, "\\$&").replace(/\s+/g, " ");

export function markdown(diagnosis: Diagnosis, title: string): string {
  const { explanation, findings, facts, backups, plan, intact, rows, made, evidence } = diagnosis;
  const lines = [
    `# ${headline(diagnosis)}`,
    "",
    plain(diagnosis.because),
    "",
    `- **Judged:** ${plain(title)}, ${KINDS[diagnosis.kind]}`,
    ...(made
      ? [
          `- **Made:** ${new Date(made.atMs).toUTCString()}, cutover ${plain(made.cutover)}, SQLite ${plain(made.sqlite)}, ${made.platform} ${plain(made.arch)}${made.runtime ? `, ${plain(made.runtime)}` : ""}${diagnosis.path === null ? "" : `, for ${plain(diagnosis.path)}`}`,
        ]
      : []),
    ...(diagnosis.kind === "plan"
      ? []
      : [
          `- **The file is intact:** ${ANSWERS[intact.answer]}. ${plain(intact.says)}`,
          `- **Your rows are there:** ${ANSWERS[rows.answer]}. ${plain(rows.says)}`,
        ]),
    `- **v1:** ${plain(diagnosis.v1.says)}`,
    `- **v2:** ${plain(diagnosis.v2.says)}`,
    `- **The next start:** ${plain(diagnosis.next)}`,
    `- **To do:** ${plain(diagnosis.action)}`,
  ];
  const section = (name: string, items: string[]) =>
    items.length > 0 && lines.push("", `## ${name}`, "", ...items);
  section(
    "What each piece says",
    evidence.map(
      ({ name, kind, safety, says }) =>
        `- **${plain(name)}** (${KINDS[kind]}): ${SHORT[safety]}. ${plain(says)}`,
    ),
  );
  if (explanation)
    section(
      "The error",
      three(explanation).map(([name, text]) => `- **${name}:** ${plain(text)}`),
    );
  section(
    "Findings",
    findings.map(
      (finding) =>
        `- **${finding.kind}** (${where(finding)}): ${[finding.message, finding.why, finding.hint]
          .map((text) => text && `${plain(text)}.`)
          .filter(Boolean)
          .join(" ")}`,
    ),
  );
  section(
    "What the page found",
    facts.map((fact) => `- ${plain(fact)}`),
  );
  section(
    "Backups",
    backups.map(
      ({ name, size, whole, why }) =>
        `- ${plain(name)}, ${counted(size, "byte")}, ${whole ? "whole" : `not whole: ${plain(why ?? "no reason is known")}`}`,
    ),
  );
  if (plan)
    section(
      `The plan (${plan.kind})`,
      plan.steps.map(({ do: op, why }, at) => `${at + 1}. ${op.op}: ${plain(why)}`),
    );
  section(
    "Reply to the customer",
    diagnosis.reply.split("\n").map((line) => `> ${plain(line)}`),
  );
  return `${lines.join("\n")}\n`;
}
