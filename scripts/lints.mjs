// What is checked without a test: format, lints, links of the docs, words, cycles of modules. `npm run lint`; a stage of `npm test` each.
import { run } from "./setup.mjs";
import { stage } from "./stage.mjs";

const node = process.execPath;

export async function lints() {
  await stage("format", ["cargo", "fmt", "--all", "--check"]);
  await stage("plain English", [node, "scripts/check-words.mjs", "--self-test"]);
  await stage("no cycle of modules", [node, "scripts/check-cycles.mjs", "--self-test"]);
  await stage("lints", ["cargo", "clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
  await stage("docs", ["cargo", "doc", "--quiet", "--workspace", "--no-deps"], { env: { RUSTDOCFLAGS: "-D warnings" } });
}
