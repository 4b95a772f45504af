// Generates what other languages know of the Rust types, into core/schema: a JSON Schema of each file format, and generated.d.ts, which the
// build of each binding copies into its package. And bindings-node/cli.schema.json, of what the command line prints. With --check it writes nothing, and fails when a checked-in file differs.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compile } from "json-schema-to-typescript";
import { cliSchema } from "../bindings-node/cli-schema.mjs";
import { fail, root, run } from "./setup.mjs";

const check = process.argv.includes("--check");

/** json-schema-to-typescript makes a new type of a `$ref` with a description, and none of a description alone. */
function plain(_, value) {
  if (!value?.description) return value;
  if (value.$ref) return { description: value.description, allOf: [{ $ref: value.$ref }] };
  return Object.keys(value).length === 1 ? { description: value.description, tsType: "unknown" } : value;
}

const types = run("cargo", ["run", "--quiet", "--package", "cutover-schema", "--", ...(check ? ["--check"] : [])], { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8" });
const declarations = await compile(JSON.parse(types, plain), "Types", {
  additionalProperties: false,
  bannerComment: "// Generated from the Rust types by `npm run generate`. Do not edit.",
  style: { printWidth: 120 },
});

const files = {
  "core/schema/generated.d.ts": declarations,
  "bindings-node/cli.schema.json": `${JSON.stringify(cliSchema(JSON.parse(types)), null, 2)}\n`,
};
for (const [name, text] of Object.entries(files)) {
  if (!check) writeFileSync(join(root, name), text);
  else if (readFileSync(join(root, name), "utf8").replaceAll("\r\n", "\n") !== text) {
    fail(`${name} is not what the Rust types give: run \`npm run generate\` and commit the result`);
  }
}
