// A sqlite3 shell that goes on running, so that the start of its process is not measured.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const END = "-- done --";

export class Shell {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #errors = "";

  private constructor(path: string) {
    this.#process = spawn("sqlite3", ["-batch", "-bail", path]);
    // It ended by itself: what it said is thrown by `run`.
    this.#process.stdin.on("error", () => {});
    this.#process.stderr.on("data", (text) => (this.#errors += text));
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  static async open(path: string): Promise<Shell> {
    const shell = new Shell(path);
    await shell.run("SELECT 1;");
    return shell;
  }

  /** Runs SQL or commands of the shell. Returns the lines that it prints, once it is done. */
  async run(sql: string): Promise<string[]> {
    this.#process.stdin.write(`${sql}\n.print ${END}\n`);
    const lines: string[] = [];
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`sqlite3: ${this.#errors.trim()}`);
      if (value === END) return lines;
      lines.push(value);
    }
  }

  /** Ends it. Returns the most memory that it had, in KiB, where the system tells it. */
  async end(): Promise<number | null> {
    const told =
      process.platform === "linux" ? await this.run(".shell grep VmHWM /proc/$PPID/status") : [];
    this.#process.stdin.end();
    await once(this.#process, "exit");
    return Number(/\d+/.exec(told.join())?.[0]) || null;
  }
}
