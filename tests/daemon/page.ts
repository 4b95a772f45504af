// The diagnostics page, with what the doctor found enclosed, in a folder whose name cannot be guessed. It is read once, and nothing but it is served.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Bundle } from "cutover";

const DIST = new URL("../../../bindings-wasm/diagnostics/dist/", import.meta.url);
const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

interface File {
  type: string;
  body: Buffer;
}

export class Page {
  /** The path that it is at. A browser that knows it may look. */
  readonly path: string;
  readonly #token = randomBytes(16).toString("hex");
  /** By their paths below the folder. A path that is no key here is no file, whatever is in it. */
  readonly #files = new Map<string, File>();

  private constructor(bundle: Bundle) {
    this.path = `/${this.#token}/`;
    const names = readdirSync(DIST, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
    for (const name of names.filter((name) => extname(name) in TYPES)) {
      this.#files.set(name, { type: TYPES[extname(name)] as string, body: readFileSync(new URL(name, DIST)) });
    }
    const html = this.#files.get("index.html");
    if (html) this.#files.set("", { type: html.type, body: Buffer.from(enclose(String(html.body), bundle)) });
  }

  /** The page with this bundle, where the page was built. */
  static of(bundle: Bundle): Page | null {
    return existsSync(DIST) ? new Page(bundle) : null;
  }

  /** What lies at the path of a request. */
  file(path: string): File | null {
    const [, token = "", ...rest] = path.split("/");
    const digest = (text: string) => createHash("sha256").update(text).digest();
    if (rest.length === 0 || !timingSafeEqual(digest(token), digest(this.#token))) return null;
    return this.#files.get(rest.join("/")) ?? null;
  }
}

/** Puts a bundle into the page. Names and messages in it come from outside: none of them can end the element that it lies in. */
function enclose(html: string, bundle: Bundle): string {
  const text = JSON.stringify(bundle).replaceAll("<", "\\u003c");
  return html.replace("</body>", () => `<script type="application/json" id="given">${text}</script></body>`);
}
