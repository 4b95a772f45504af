// How far a verb is, on the standard error: a bar on a terminal, else a line for each step.
import { Format, SingleBar, type Options, type Params } from "cli-progress";
import prettyBytes from "pretty-bytes";
import type { Event, Progress as Explored } from "../generated.js";
import type { Output } from "./output.js";

export const bytes = (count: number) => prettyBytes(count, { binary: true });

/** What a bar counts. */
type Unit = "bytes" | "states" | "nothing";

export class Progress {
  /** The warnings that were shown. */
  readonly shown = new Set<string>();
  readonly #output: Output;
  readonly #quiet: boolean;
  readonly #terminal = process.stderr.isTTY && process.env["TERM"] !== "dumb";
  #bar: SingleBar | undefined;
  #unit: Unit = "nothing";
  #label = "";
  #waiting = "";

  constructor(output: Output, quiet: boolean) {
    this.#output = output;
    this.#quiet = quiet;
  }

  hear(event: Event): void {
    if (event.type === "warning") return this.warn(event.warning.message);
    if (this.#quiet) return;
    switch (event.type) {
      case "step": {
        const { index, total, op, file, why } = event;
        this.#label = `[${index + 1}/${total}] ${event.undo ? "undo: " : ""}${op}${file === null ? "" : ` ${file}`}`;
        if (this.#terminal) this.#show("nothing", null);
        else this.#say(`${this.#label}: ${why}`);
        return;
      }
      case "progress":
        if (this.#label === "") this.#label = event.op;
        return this.#move("bytes", event.doneBytes, event.totalBytes);
      case "wait": {
        const holders = event.holders.map(({ name, pid }) => `${name} (${pid})`).join(", ");
        const text = `waiting up to ${event.budgetMs / 1000} s: ${event.reason}${holders && `: ${holders}`}`;
        if (text !== this.#waiting) this.#say(text);
        this.#waiting = text;
        return;
      }
      case "undo":
        return this.#say(`undoing: ${event.reason}`);
    }
  }

  /** The explorer has run so many starts. */
  explored({ done, total }: Explored): void {
    if (this.#quiet) return;
    this.#label = "exploring crash states";
    this.#move("states", done, total);
  }

  /** Shows a warning once. */
  warn(message: string): void {
    if (this.shown.has(message)) return;
    this.shown.add(message);
    this.end();
    this.#output.say([["yellow", "warning: "], message]);
  }

  /** Removes the bar. */
  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #say(text: string): void {
    this.end();
    this.#output.say([["dim", text]]);
  }

  #move(unit: Unit, done: number, total: number | null): void {
    if (!this.#terminal) return;
    if (this.#bar === undefined || this.#unit !== unit) this.#show(unit, total);
    if (total !== null) this.#bar?.setTotal(total);
    this.#bar?.update(done);
  }

  #show(unit: Unit, total: number | null): void {
    this.end();
    this.#unit = unit;
    this.#bar = new SingleBar({
      stream: process.stderr,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 20,
      clearOnComplete: true,
      etaBuffer: 20,
      // Else a process that is killed would leave the terminal without it.
      linewrap: true,
      format: line,
    });
    const label = this.#output.render(this.#label, process.stderr);
    this.#bar.start(total ?? 0, 0, { label, unit, known: total !== null } satisfies Shown);
  }
}

interface Shown {
  label: string;
  unit: Unit;
  /** How much there is in all is known. */
  known: boolean;
}

/** What fits on a line of the terminal with the `^C` that it adds. */
const line = (options: Options, params: Params, shown: Shown) =>
  text(options, params, shown).slice(0, params.maxWidth - 3);

/** `[3/9] copy data.db ██████░░░░ 60% 6 MiB of 10 MiB, 3 MiB/s, 2 s left`. */
function text(options: Options, params: Params, { label, unit, known }: Shown): string {
  const { value, total, startTime, progress } = params;
  if (unit === "nothing") return label;
  const count = (of: number) => (unit === "bytes" ? bytes(of) : of.toLocaleString("en"));
  const seconds = Math.max((Date.now() - startTime) / 1000, 0.001);
  const rate = `${count(Math.round(value / seconds))}/s`;
  if (!known) return `${label} ${count(value)}, ${rate}`;
  // Until the library knows it, it has a word instead of a number.
  const left = Number.isFinite(params.eta) ? `, ${duration(params.eta)} left` : "";
  const percent = `${Math.floor(progress * 100)}%`.padStart(4);
  const bar = Format.BarFormat(progress, options);
  return `${label} ${bar} ${percent} ${count(value)} of ${count(total)}, ${rate}${left}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
