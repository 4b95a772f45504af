// What a person sees: words in colour, or JSON on the standard output; progress, warnings and
// failures on the standard error.
import type { WriteStream } from "node:tty";
import * as util from "node:util";

type Style = "bold" | "dim" | "red" | "green" | "yellow";
/** A part of a line, plain or in a style. */
export type Piece = string | readonly [Style, string];
export type Line = string | readonly Piece[];

/** Names of files come from the disk: what controls a terminal is replaced. */
const clean = (text: string) => text.replace(/[\p{Cc}\p{Cf}]/gu, "?");

/** JSON in which no character controls a terminal. */
export function json(data: unknown): string {
  const escape = (text: string) =>
    Array.from({ length: text.length }, (_, at) => text.charCodeAt(at).toString(16))
      .map((unit) => `\\u${unit.padStart(4, "0")}`)
      .join("");
  const text = JSON.stringify(data, null, 2);
  return `${text.replace(/[\u007f-\u009f\p{Cf}]/gu, escape)}\n`;
}

/** Whether a stream is a terminal that shows colours: NO_COLOR, FORCE_COLOR and TERM decide. */
const colours = (stream: NodeJS.WriteStream) =>
  stream.isTTY && (stream as WriteStream).hasColors(process.env);

export class Output {
  readonly #plain: boolean;

  constructor(plain: boolean) {
    this.#plain = plain;
  }

  /** One line of text for a stream. */
  render(line: Line, stream: NodeJS.WriteStream): string {
    // Node 20.12 and newer, and Bun, have styleText. It looks at no stream here: older ones cannot.
    const { styleText } = util as Partial<typeof util>;
    const paint = !this.#plain && styleText !== undefined && colours(stream);
    const piece = (part: Piece): string => {
      if (typeof part === "string") return clean(part);
      const [style, text] = part;
      return paint ? styleText(style, clean(text), { validateStream: false }) : clean(text);
    };
    return typeof line === "string" ? piece(line) : line.map(piece).join("");
  }

  /** Says something on the standard error, which may be closed. */
  say(line: Line): void {
    const { stderr } = process;
    write(stderr, `${this.render(line, stderr)}\n`).catch(() => undefined);
  }

  /**
   * Writes the answer to the standard output.
   *
   * @throws The error of the system, such as that of a full disk. A reader that has read enough
   * (`head`) is none.
   */
  async answer(lines: readonly Line[] | string): Promise<void> {
    const { stdout } = process;
    const text =
      typeof lines === "string"
        ? lines
        : lines.map((line) => `${this.render(line, stdout)}\n`).join("");
    if (text === "") return;
    try {
      await write(stdout, text);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EPIPE") {
        const why = code ?? (error as Error).message;
        const message = `standard output: the answer cannot be written: ${why}; what the verb did stays, so make room and ask again`;
        throw Object.assign(new Error(message, { cause: error }), { syscall: "write" });
      }
    }
  }
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Without a listener the error of a stream ends the process.
    stream.once("error", reject);
    stream.write(text, (error) => {
      if (error) return reject(error);
      stream.off("error", reject);
      resolve();
    });
  });
}

/** Rows under a head, in columns. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): Line[] {
  const widths = head.map((_, at) =>
    Math.max(...[head, ...rows].map((row) => row[at]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return [[["dim", line(head)]], ...rows.map(line)];
}
