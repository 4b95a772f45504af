// The diagnostics page with the bundle of the doctor, in a folder with a random name. The daemon
// reads the files once, and serves no other file.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Bundle } from "cutover";

const DIST = new URL("../../../bindings-wasm/diagnostics/dist/", import.meta.url);
const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

interface File {
  type: string;
  body: Buffer;
}

export class Page {
  /** The path of the page. A browser that knows the path may read the page. */
  readonly path: string;
  readonly #token = randomBytes(16).toString("hex");
  /** The files by their paths below the folder. Any other path is not found. */
  readonly #files = new Map<string, File>();

  private constructor(bundle: Bundle) {
    this.path = `/${this.#token}/`;
    const names = readdirSync(DIST, { recursive: true, encoding: "utf8" }).map((name) =>
      name.replaceAll("\\", "/"),
    );
    for (const name of names.filter((name) => extname(name) in TYPES)) {
      this.#files.set(name, {
        type: TYPES[extname(name)] as string,
        body: readFileSync(new URL(name, DIST)),
      });
    }
    const html = this.#files.get("index.html");
    if (html)
      this.#files.set("", {
        type: html.type,
        body: Buffer.from(enclose(String(html.body), bundle)),
      });
  }

  /** The page with this bundle, if the page was built. */
  static of(bundle: Bundle): Page | null {
    return existsSync(DIST) ? new Page(bundle) : null;
  }

  /** The file at the path of a request. */
  file(path: string): File | null {
    const [, token = "", ...rest] = path.split("/");
    const digest = (text: string) => createHash("sha256").update(text).digest();
    if (rest.length === 0 || !timingSafeEqual(digest(token), digest(this.#token))) return null;
    return this.#files.get(rest.join("/")) ?? null;
  }
}

/** Puts a bundle into the page. No name or message in the bundle can end the element around it. */
function enclose(html: string, bundle: Bundle): string {
  const text = JSON.stringify(bundle).replaceAll("<", "\\u003c");
  return html.replace(
    "</body>",
    () => `<script type="application/json" id="given">${text}</script></body>`,
  );
}
