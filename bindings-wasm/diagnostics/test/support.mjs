// Serves the built page and opens it in real Chromium. It records each request of the page, and
// each line on the console.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const page = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = {
  ".ts": "text/plain",
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * A file server with the page, or with another directory, in a folder. `given` is enclosed in the
 * page.
 */
export async function serve(given, directory = page) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://localhost").pathname.replace(
      /^\/some\/folder\//,
      "/",
    );
    const file = join(directory, normalize(path.endsWith("/") ? `${path}index.html` : path));
    if (!file.startsWith(directory) || !existsSync(file)) return response.writeHead(404).end();
    response
      .writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" })
      .end(
        file.endsWith(".html") ? enclose(readFileSync(file, "utf8"), given) : readFileSync(file),
      );
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}/some/folder/`,
    close: () => server.close(),
  };
}

const enclose = (html, given) =>
  given === undefined
    ? html
    : html.replace(
        "</body>",
        () =>
          `<script type="application/json" id="given">${given.replaceAll("<", "\\u003c")}</script></body>`,
      );

const PROGRAM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export function launch() {
  assert.ok(PROGRAM, "chromium is missing");
  return chromium.launch({ executablePath: PROGRAM });
}

/** A page that is ready. `asked` has its requests, `said` its errors and warnings. */
export async function open(browser, address, options = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const asked = [];
  const said = [];
  context.on("request", (request) =>
    asked.push({ method: request.method(), url: request.url(), body: request.postData() }),
  );
  page.on(
    "console",
    (message) => ["error", "warning"].includes(message.type()) && said.push(message.text()),
  );
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(address);
  await page.waitForSelector("html[data-ready]");
  return { page, context, asked, said };
}

/** The answer of the page to `give`. */
export async function judged(page, give) {
  await page.evaluate(() => {
    const { dataset } = document.getElementById("answer");
    for (const name of ["safety", "kind", "took"]) delete dataset[name];
  });
  await give();
  await page.waitForSelector("#answer[data-safety]:not(:has([aria-busy=true]))");
  return page.evaluate(() => {
    const answer = document.getElementById("answer");
    const text = (selector) => answer.querySelector(selector)?.textContent ?? null;
    return {
      ...answer.dataset,
      headline: text("h2"),
      because: text(".because"),
      reply: text("blockquote"),
      read: text(".read"),
      whole: answer.textContent,
    };
  });
}

/** Pastes a text, without the clipboard of the operating system. */
export const paste = (page, text) =>
  page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    document
      .getElementById("text")
      .dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
      );
  }, text);

/** Drops files or folders of the disk through the browser. */
export async function drop(page, files) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"])
    await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  await session.detach();
}
