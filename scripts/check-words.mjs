// Plain English, as far as a list of words can hold it: no sentence of ours has an actor without a name. And a test that a
// page of docs names is there. `--self-test` shows both failing on a planted fault.
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fail, root } from "./setup.mjs";

/** What to write instead stands behind each. */
const WORDS = [
  [/\bwho(?:so)?ever\b/i, "name the actor: a program, a process, a person, the application"],
  [/\bsomebody(?:'s)?\b|\bsomeone's\b/i, "name the actor: a program, a process, a person, the application"],
  [/\bnobody(?:'s)?\b/i, "name the actor: no process, no program, no file"],
  [/\bcannot be had\b|\bis none of\b/i, "say what is missing, or what it is"],
  [/(?:^|[.:;!?] |\/\/\/? |\/\/! |\* |\| )The same\b/, "say what it does"],
  [/\bthe field's\b|\bin the field\b|\bfield[_-](?:journal|daemon)|FieldJournal|FieldPhase/i, "legacy"],
];
/** What was generated, and what others wrote. */
const NOT_OURS = /(?:^|\/)(?:package-lock\.json|Cargo\.lock|generated\.d\.ts|examples\.json)$|^tests\/disks\/.*\/|\.(?:db|svg|schema\.json)$|^scripts\/check-words\.mjs$/;
const TEXT = /\.(?:rs|ts|mts|cts|mjs|js|md|html|toml|txt|yml)$/;

/** Every line with such a word, and the words of it. */
export function found(file, text) {
  const lines = text.split("\n");
  return lines.flatMap((line, at) => WORDS.filter(([word]) => word.test(line)).map(([, instead]) => `${file}:${at + 1}: ${line.trim()}\n    ${instead}`));
}

/** Where `runner/x.rs` and `core/x.rs` of a page are; a name without a folder is the runner's. */
const inTests = (path) => path.replace(/^(?:(runner|core)\/)?/, (_, crate = "runner") => `${crate}/tests/it/`);

/** The tests that a page names, `program.rs`: `name`, and that are not in that file. `texts`: file -> text. */
export function missing(page, text, texts) {
  return [...text.matchAll(/`([\w/]+\.rs)`: ((?:`\w+`(?:, )?)+)/g)].flatMap(([, path, names]) =>
    names.match(/\w+/g).filter((name) => !texts[inTests(path)]?.includes(`fn ${name}(`)).map((name) => `${page}: there is no test ${name} in ${inTests(path)}`),
  );
}

const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).split("\n").filter((file) => TEXT.test(file) && !NOT_OURS.test(file));
const text = (file) => readFileSync(join(root, file), "utf8");
const tests = Object.fromEntries(tracked.filter((file) => file.endsWith(".rs")).map((file) => [file, text(file)]));
const pages = ["docs/guarantees.md", "tests/README.md", "ERRORS.md"].filter((page) => tracked.includes(page));

if (process.argv.includes("--self-test")) {
  const planted = found("planted.rs", "/// The same for whoever looks, and nobody else.\n// A process of the field's daemon.\n");
  if (planted.length !== 4) fail(`the list of words finds ${planted.length} of 4 planted words`);
  if (missing("planted.md", "`runner/x.rs`: `no_such_test`, `nor_this`", tests).length !== 2) fail("a page may name a test that is not there");
}
const wrong = [...tracked.flatMap((file) => found(file, text(file))), ...pages.flatMap((page) => missing(page, text(page), tests))];
for (const line of wrong) console.log(line);
if (wrong.length > 0) {
  console.log(`${wrong.length} places are not plain English, or name a test that is not there`);
  process.exitCode = 1;
} else console.log(`plain English: ${tracked.length} files`);
