#!/usr/bin/env node
// `npx cutover doctor|status <database>`. It runs in a process of its own, so it may open files
// that the process of the application has open.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { doctor } from "../doctor.js";
import { CutoverError } from "../error.js";
import type { Diagnosis } from "../generated.js";
import { diagnose } from "../pure.js";

const USAGE = `usage: cutover doctor <database> [--companion NAME=FILE]... [--out FILE] [--application-data]
       cutover status <database> [--companion NAME=FILE]... [--json]

doctor writes one JSON for a support person: which files there are, and what the next start would do. The JSON
has no rows. With --application-data it includes the application's saved state, report and messages.
status says whether the data is safe.
A companion is a file that the application upgrades with the database; NAME is its name in the options.
Both commands change nothing.

Exit status: 0 the data is safe, or doctor wrote the bundle; 1 the data is not safe; 2 status cannot tell;
64 the command line is wrong; 74 the directory is not readable.`;

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
  if ((verb !== "doctor" && verb !== "status") || path === undefined || more.length > 0)
    return usage("name a command, doctor or status, and one database");
  const wrong = values.companion.find((text) => !/^[^=]+=./s.test(text));
  if (wrong !== undefined) return usage(`a companion is NAME=FILE, not ${wrong}`);
  const companions = Object.fromEntries(
    values.companion.map((text) => [
      text.slice(0, text.indexOf("=")),
      text.slice(text.indexOf("=") + 1),
    ]),
  );
  try {
    const bundle = await doctor(path, {
      companions,
      applicationData: verb === "doctor" && values["application-data"],
    });
    const text = `${JSON.stringify(bundle, null, 2)}\n`;
    if (verb === "status") {
      const diagnosis = diagnose({ text });
      process.stdout.write(
        values.json ? `${JSON.stringify(diagnosis, null, 2)}\n` : words(diagnosis),
      );
      return STATUS[diagnosis.safety];
    }
    // Never over an existing file, which could be the database.
    if (values.out !== undefined) writeFileSync(values.out, text, { flag: "wx" });
    else process.stdout.write(text);
    return 0;
  } catch (error) {
    console.error(
      error instanceof CutoverError ? error.message : `cutover: ${(error as Error).message}`,
    );
    return 74;
  }
}

function usage(why: string): number {
  console.error(`cutover: ${why}\n\n${USAGE}`);
  return 64;
}

const VERDICTS = {
  safe: "The data is safe.",
  "not-safe": "The data is not safe.",
  "cannot-tell": "status cannot tell whether the data is safe.",
};

function words({ safety, because, v1, v2, next, action, facts }: Diagnosis): string {
  const lines = [
    VERDICTS[safety],
    because,
    "",
    `v1:          ${v1.says}`,
    `v2:          ${v2.says}`,
    `next start:  ${next}`,
    `what to do:  ${action}`,
    "",
    ...facts,
  ];
  // File names come from the disk, so characters that control a terminal are replaced.
  return `${lines.map((line) => line.replace(/[\p{Cc}\p{Cf}]/gu, "?")).join("\n")}\n`;
}

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
