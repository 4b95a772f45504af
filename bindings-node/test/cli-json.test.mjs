// What `--json` prints is what cli.schema.json says.
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { test } from "node:test";
import { migrate } from "cutover";
import { exitCodes } from "cutover/cli";
import { myapp, run } from "./cli-support.mjs";
import { options, seed } from "./support.mjs";

const require = createRequire(import.meta.url);

// The Windows lab has no ajv: the form of an answer depends on no system.
if (process.platform !== "win32") {
  const { default: Ajv } = await import("ajv/dist/2020.js");
  const schema = JSON.parse(readFileSync(require.resolve("cutover/cli.schema.json"), "utf8"));
  // Formats such as uint64 are notes.
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(schema, "cli");

  /** Checks the document by the form of its verb, and returns it. */
  function fits(form, { stdout, stderr }) {
    const document = JSON.parse(stdout);
    const validate = ajv.getSchema(`cli#/$defs/${form}`);
    assert.ok(validate(document), `${form}: ${ajv.errorsText(validate.errors)} ${stderr}`);
    assert.ok(ajv.getSchema("cli")(document), form);
    return document;
  }

  test("each verb prints one document of its form", async () => {
    const { path, directory } = seed();
    assert.equal(fits("plan", myapp(path, {}, "plan", "--json")).plan.kind, "migrate");
    const backup = basename((await migrate(options(path))).backup);
    assert.equal(fits("plan", myapp(path, {}, "plan", "--json")).plan, null);
    assert.equal(fits("status", run("status", "--json", path)).safety, "safe");
    assert.equal(fits("recover", myapp(path, {}, "recover", "--json")).recovery, "none");
    assert.equal(fits("backups", run("backups", "--json", path))[0].name, backup);
    assert.equal(
      fits("restore", run("restore", "--json", "--dry-run", path, backup)).plan.kind,
      "restore",
    );
    assert.equal(fits("restore", run("restore", "--json", path, backup)).recovery, "none");
    rmSync(join(directory, `${backup}.json`));
    assert.equal(fits("prune", run("prune", "--json", "--keep", "1", path)).left.length, 1);
    assert.equal(fits("adopt", run("adopt", "--json", path, backup)).warnings[0].code, "ADOPTED");
    assert.equal(fits("doctor", run("doctor", "--json", path)).version, 1);
    const out = join(directory, "bundle.json");
    assert.deepEqual(fits("doctor", run("doctor", "--json", "--out", out, path)), { out });
    assert.equal(fits("explain", run("explain", "--json", "HELD")).code, "HELD");
    assert.equal(fits("explain", run("explain", "--json")).length, 12);
    const naive = run("explore", "--json", "--strategy", "two-rename", "--platform", "linux");
    const [crash] = fits("explore", naive)
      .cells.flat(2)
      .flatMap(({ crashes }) => crashes);
    assert.ok(fits("explore", run("explore", "--json", "--replay", crash.replay)).length > 3);
  });

  test("a companion that a restore puts back is in its document", async () => {
    const { path, directory } = seed();
    const auth = join(directory, "auth.json");
    const run = async (job) => {
      const { build } = await import("./support.mjs");
      await build(job);
      await job.companion("auth").write("of v2");
    };
    const companions = { auth };
    const { backup } = await migrate(options(path, { make: { from: "empty", run }, companions }));
    const restored = myapp(path, { COMPANION: auth }, "restore", "--json", basename(backup));
    assert.equal(typeof fits("restore", restored).companions.auth.restored, "boolean");
  });

  test("a failure is a document too, and the words stand on the standard error", () => {
    const { directory } = seed(null);
    for (const [args, code] of [
      [["status", "--json", join(directory, "nowhere", "data.db")], "IO"],
      [["status", "--json", directory], null],
      [["statu", "--json"], null],
      [["plan", "--json"], null],
    ]) {
      const answer = run(...args);
      const { error } = fits("failure", answer);
      assert.deepEqual([error.code, error.exit], [code, answer.status]);
      assert.ok(answer.stderr.includes(error.message), answer.stderr);
    }
  });

  test("the schema has a form for each verb and each exit code, and refuses what is no answer", () => {
    const verbs = [...run("--help").stdout.matchAll(/^  ([a-z]+)(?: [<[][^ ]*)* {2,}\S/gm)].map(
      ([, verb]) => verb,
    );
    const forms = schema.anyOf.map(({ $ref }) => $ref.replace("#/$defs/", ""));
    assert.deepEqual(forms, [...verbs, "failure"]);
    const { exit } = schema.$defs.failure.properties.error.properties;
    assert.deepEqual(
      exit.enum,
      Object.values(exitCodes).filter((code) => code !== exitCodes.ok),
    );
    for (const wrong of [{}, { safety: "safe" }, { removed: [] }, [1], null])
      assert.equal(ajv.getSchema("cli")(wrong), false, JSON.stringify(wrong));
  });
}
