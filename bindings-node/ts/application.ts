import { isUtf8 } from "node:buffer";
import { isUint8Array } from "node:util/types";
import { refuse } from "./check.js";
import { checkBuilt } from "./check-options.js";
import type { Event, Warning } from "./generated.js";
import type { Companion, Job, Json, MigrateOptions } from "./options.js";
import { base64, bytes, reader } from "./reader.js";
import { releaseHandles } from "./release.js";
import { describe } from "./error.js";
import type { Application, Call, Desk } from "./session.js";

/** The callbacks of the options. */
export class Callbacks<S extends Json, R extends Json> implements Application {
  /** The warnings of the JavaScript side. */
  readonly warnings: Warning[] = [];
  readonly #options: Partial<MigrateOptions<S, R>>;
  #onEventFailed = false;

  constructor(options: Partial<MigrateOptions<S, R>>) {
    this.#options = options;
  }

  get signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  answer(call: Call, desk: Desk): unknown {
    switch (call.name) {
      case "detect":
        return this.#detect(call.path, desk);
      case "build":
        return this.#build(call, desk);
      case "verify":
        return this.#void(this.#options.verify?.(reader(desk.ask, call.path)));
      case "undo":
        return this.#void(this.#options.undo?.(call.state as S | null, { nonce: call.nonce }));
      case "cleanup":
        return this.#void(this.#options.cleanup?.(call.state as S | null, { nonce: call.nonce }));
      case "release":
        return this.#release();
      case "event":
        return this.#tell(call.event);
    }
  }

  unsettled(call: Call["name"], ms: number): void {
    const name = call === "event" ? "onEvent" : call === "release" ? "releaseHandles" : call;
    const message = `${name} has neither settled nor reported progress for ${ms / 1000} s; to stop it, abort options.signal`;
    void this.#warn({ from: "cutover", code: "UNSETTLED", message });
  }

  /** Drops the result of a callback, which need not be JSON. */
  async #void(given: void | Promise<void>): Promise<void> {
    await given;
  }

  async #detect(path: string, desk: Desk): Promise<string> {
    const { detect } = this.#options;
    const verdict: unknown =
      typeof detect === "function" ? await detect(reader(desk.ask, path)) : undefined;
    return verdict === "old" || verdict === "current" || verdict === "newer"
      ? verdict
      : refuse("the result of detect", '"old", "current" or "newer"', verdict);
  }

  async #build(call: Call & { name: "build" }, desk: Desk): Promise<object> {
    const run = this.#options.make?.run;
    if (typeof run !== "function")
      throw new TypeError(
        "cutover: this plan builds v2 through a callback, but options.make.run is not a function",
      );
    return checkBuilt(await run(this.#job(call, desk)));
  }

  #job({ staging, v1, nonce, attempt }: Call & { name: "build" }, desk: Desk): Job<S> {
    return {
      source: async () => (await desk.ask({ name: "source" })) as string,
      staging,
      nonce,
      attempt,
      v1: reader(desk.ask, v1),
      signal: this.#options.signal ?? new AbortController().signal,
      companion: (name) => companion(name, desk),
      saveState: async (state) => {
        if (state === undefined) refuse("the state", "a value that JSON can hold", state);
        await desk.ask({ name: "save-state", state });
      },
      warn: (message) => desk.warn(message),
      progress: (done, total) => {
        if (desk.alive()) void this.#tell({ type: "build-progress", done, total: total ?? null });
      },
    };
  }

  async #release(): Promise<void> {
    try {
      await (this.#options.releaseHandles ? this.#options.releaseHandles() : releaseHandles());
    } catch (error) {
      await this.#warn({
        from: "host",
        code: "RELEASE_HANDLES",
        message: `releaseHandles failed: ${describe(error)}`,
      });
    }
  }

  #warn(warning: Warning): Promise<void> {
    this.warnings.push(warning);
    return this.#tell({ type: "warning", warning });
  }

  /** Calls the listener and waits for it. Its first failure becomes a warning. */
  async #tell(event: Event): Promise<void> {
    try {
      await this.#options.onEvent?.(event);
    } catch (error) {
      if (this.#onEventFailed) return;
      this.#onEventFailed = true;
      this.warnings.push({
        from: "host",
        code: "ON_EVENT",
        message: `onEvent failed: ${describe(error)}`,
      });
    }
  }
}

function companion(name: string, desk: Desk): Companion {
  const read = async () => {
    const data = (await desk.ask({ name: "read-companion", companion: name })) as string | null;
    return data === null ? null : bytes(data);
  };
  return {
    read,
    async text() {
      const content = await read();
      if (content === null) return null;
      if (!isUtf8(content))
        throw new Error(`companion ${name} is not text in UTF-8; read() returns its bytes`);
      return Buffer.from(content).toString();
    },
    async write(data) {
      if (typeof data !== "string" && !isUint8Array(data))
        refuse("a companion's content", "a string or a Uint8Array", data);
      const content = typeof data === "string" ? Buffer.from(data) : data;
      await desk.ask({ name: "write-companion", companion: name, data: base64(content) });
    },
  };
}
