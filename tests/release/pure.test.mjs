// `cutover-wasm` from its tarball alone: in a browser, bundled by default settings and not at all, and in Node, Bun and Deno.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { launch, open, serve } from "../../bindings-wasm/diagnostics/test/support.mjs";
import { PLATFORMS } from "../../bindings-node/platforms.mjs";
import { folder, install, root } from "./support.mjs";

const lab = process.env.CUTOVER_RELEASE_LAB;
const bin = (name) => join(lab, "node_modules/.bin", name);
const bundlers = join(lab, "bundlers");
mkdirSync(bundlers, { recursive: true });
const browser = await launch();
after(() => browser.close());

/** Uses each of the three modules, and the worker; leaves what they answered in `answers`. */
const APP = `import { explainError, load } from "cutover-wasm";
import { diagnose } from "cutover-wasm/diagnose";
import { explore } from "cutover-wasm/explore";

await load();
const matrix = await explore({ by: "sql", from: "empty", strategy: "link-replace", platform: "linux", models: ["M0"] });
const answers = [explainError("cutover:IO").code, (await diagnose({ text: "cutover:IO" })).explanation.code, matrix.bad];
`;
const ANSWERS = ["IO", "IO", 0];
const IN_A_PAGE = `${APP}document.body.textContent = JSON.stringify(answers);\ndocument.documentElement.dataset.ready = "";\n`;

function application() {
  const app = folder(bundlers);
  cpSync(join(install(PLATFORMS["linux-x64-gnu"], "cutover-wasm"), "node_modules"), join(app, "node_modules"), { recursive: true });
  writeFileSync(join(app, "package.json"), '{ "private": true, "type": "module" }\n');
  writeFileSync(join(app, "page.js"), IN_A_PAGE);
  writeFileSync(join(app, "app.mjs"), `${APP}console.log(JSON.stringify(answers));\n`);
  writeFileSync(join(app, "index.html"), '<!doctype html><body><script type="module" src="./page.js"></script></body>');
  return app;
}

/** What the page in a folder answers. It asks for nothing but its own files, and says nothing on the console. */
async function answered(directory) {
  const server = await serve(undefined, directory);
  try {
    const { page, context, said } = await open(browser, server.address);
    assert.deepEqual(said.filter((line) => !line.includes("favicon") && !line.includes("404")), []);
    const answers = JSON.parse(await page.textContent("body"));
    await context.close();
    return answers;
  } finally {
    server.close();
  }
}

function run(program, args, cwd) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

test("in a page that Vite built with its defaults", async () => {
  const app = application();
  run(bin("vite"), ["build", "--base=./", "--logLevel=warn"], app);
  assert.deepEqual(await answered(join(app, "dist")), ANSWERS);
});

test("in a page that webpack built for production", async () => {
  const app = application();
  run(bin("webpack"), ["--mode=production", "--entry=./page.js", "--output-path=dist", "--output-filename=page.js"], app);
  writeFileSync(join(app, "dist/index.html"), '<!doctype html><body><script src="./page.js"></script></body>');
  assert.deepEqual(await answered(join(app, "dist")), ANSWERS);
});

test("in a page without a bundler", async () => {
  const app = application();
  const names = { "cutover-wasm": "index.js", "cutover-wasm/diagnose": "diagnose.js", "cutover-wasm/explore": "explore.js" };
  const imports = Object.fromEntries(Object.entries(names).map(([name, file]) => [name, `./node_modules/cutover-wasm/dist/${file}`]));
  const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`;
  writeFileSync(join(app, "index.html"), `<!doctype html>${map}<body><script type="module" src="./page.js"></script></body>`);
  assert.deepEqual(await answered(app), ANSWERS);
});

const RUNTIMES = {
  Node: [process.execPath],
  Bun: [join(root, "node_modules/.bin/bun")],
  Deno: [bin("deno"), "run", "--allow-all", "--node-modules-dir=manual"],
};
for (const [name, [program, ...args]] of Object.entries(RUNTIMES))
  test(`in ${name}`, () => {
    const app = application();
    assert.deepEqual(JSON.parse(run(program, [...args, join(app, "app.mjs")], app)), ANSWERS);
  });
