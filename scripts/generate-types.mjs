// Generates what other languages know of core's types: the JSON Schemas in core/schema from the Rust types, and from
// them ts/generated.ts of both bindings. With --check nothing is written: it fails when a checked-in file is not what would be generated.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compile } from "json-schema-to-typescript";
import { fail, root, run } from "./setup.mjs";

const check = process.argv.includes("--check");
const targets = ["bindings-node/ts/generated.ts", "bindings-wasm/ts/generated.ts"];

run("cargo", ["run", "--quiet", "--package", "cutover-schema", "--", ...(check ? ["--check"] : [])]);

// The generator takes a $ref with a description beside it for a type of its own, and no type at all for an object: both are told apart here.
function plain(_, value) {
  if (!value?.description) return value;
  if (value.$ref) return { description: value.description, allOf: [{ $ref: value.$ref }] };
  return Object.keys(value).length === 1 ? { description: value.description, tsType: "unknown" } : value;
}
const schema = JSON.parse(readFileSync(join(root, "core/schema/types.schema.json"), "utf8"), plain);
const text = await compile(schema, "Types", {
  additionalProperties: false,
  bannerComment: "// Generated from the Rust types of core by `npm run generate`. Do not edit.",
  style: { printWidth: 120 },
});

for (const name of targets) {
  const target = join(root, name);
  if (!check) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  } else if (readFileSync(target, "utf8").replaceAll("\r\n", "\n") !== text) {
    fail(`${name} is not what core's types give: run \`npm run generate\` and commit the result`);
  }
}
