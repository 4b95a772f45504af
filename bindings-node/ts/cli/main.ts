#!/usr/bin/env node
// `npx cutover doctor|status <database>`: a process of its own, so that it may open what the application's process must not open twice.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { doctor } from "../doctor.js";
import { CutoverError } from "../error.js";
import type { Diagnosis } from "../generated.js";
import { diagnose } from "../pure.js";

const USAGE = `usage: cutover doctor <database> [--companion NAME=FILE]... [--out FILE] [--application-data]
       cutover status <database> [--companion NAME=FILE]... [--json]

doctor writes one JSON for a support person: what lies there and what the next start would do. No rows; with --application-data also what
the application saved, reported and said. status says in words whether the data is safe. A companion is a file that the application upgrades
with the database, by the name it has for it. Both change nothing.

Exit status: 0 the data is safe, or the bundle is written; 1 it is not safe; 2 it cannot be told; 64 wrong usage; 74 it could not be looked at.`;

const STATUS = { safe: 0, "not-safe": 1, "cannot-tell": 2 };

async function main(argv: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        companion: { type: "string", multiple: true, default: [] },
        out: { type: "string" },
        json: { type: "boolean", default: false },
        "application-data": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    return usage((error as Error).message);
  }
  const { values, positionals } = parsed;
  const [verb, path, ...more] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if ((verb !== "doctor" && verb !== "status") || path === undefined || more.length > 0) return usage("a verb and a database are needed");
  const wrong = values.companion.find((text) => !/^[^=]+=./s.test(text));
  if (wrong !== undefined) return usage(`a companion is NAME=FILE, not ${wrong}`);
  const companions = Object.fromEntries(values.companion.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
  try {
    const bundle = await doctor(path, { companions, applicationData: verb === "doctor" && values["application-data"] });
    const text = `${JSON.stringify(bundle, null, 2)}\n`;
    if (verb === "status") {
      const diagnosis = diagnose({ text });
      process.stdout.write(values.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : words(diagnosis));
      return STATUS[diagnosis.safety];
    }
    // Never over a file that is there: it could be the database.
    if (values.out !== undefined) writeFileSync(values.out, text, { flag: "wx" });
    else process.stdout.write(text);
    return 0;
  } catch (error) {
    console.error(error instanceof CutoverError ? error.message : `cutover: ${(error as Error).message}`);
    return 74;
  }
}

function usage(why: string): number {
  console.error(`cutover: ${why}\n\n${USAGE}`);
  return 64;
}

const VERDICTS = { safe: "The data is safe.", "not-safe": "The data is not safe.", "cannot-tell": "It cannot be told whether the data is safe." };

function words({ safety, because, v1, v2, next, action, facts }: Diagnosis): string {
  const lines = [VERDICTS[safety], because, "", `v1:          ${v1.says}`, `v2:          ${v2.says}`, `next start:  ${next}`, `what to do:  ${action}`, "", ...facts];
  // Names of files come from the disk: what steers a terminal stays out.
  return `${lines.map((line) => line.replace(/[\p{Cc}\p{Cf}]/gu, "?")).join("\n")}\n`;
}

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
