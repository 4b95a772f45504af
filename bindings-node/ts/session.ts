import { toJson } from "./check.js";
import { CutoverError, describe } from "./error.js";
import type { Event, Failure } from "./generated.js";
import { addon, type NativeLock, type Session } from "./native.js";
import type { Ask } from "./reader.js";

/** A call of the application by the thread of a task: `Call` of the addon. */
export type Call =
  | { name: "detect" | "verify"; path: string }
  | { name: "release" }
  | {
      name: "build";
      staging: string;
      v1: string;
      nonce: string;
      attempt: number;
    }
  | { name: "undo" | "cleanup"; state: unknown; nonce: string }
  | { name: "event"; event: Event };

/** Serves the requests of a callback until it settles. */
export interface Desk {
  readonly ask: Ask;
  warn(message: string): void;
  /** Reports that the callback is alive. `false`: it has settled. */
  alive(): boolean;
}

/** The application, as a task calls it. */
export interface Application {
  answer(call: Call, desk: Desk): unknown;
  /** For `ms` milliseconds the callback has neither settled nor reported that it is alive. */
  unsettled(call: Call["name"], ms: number): void;
  readonly signal?: AbortSignal | undefined;
}

type Message =
  | { type: "call"; id: number; call: Call }
  | { type: "reply"; id: number; ok: unknown }
  | { type: "refused"; id: number; message: string }
  | { type: "done"; ok: unknown }
  | { type: "failed"; failure: Failure; cause: { call: number | null; message: string } | null };

/** How long a callback may be silent before the result has a warning, milliseconds. */
const UNSETTLED_MS = 60_000;

/** For tasks that call no callback, such as lock and inspect. */
const noCallbacks: Application = { answer: () => undefined, unsettled: () => undefined };

/** Runs a task and returns its result: the lock for `lock`, parsed JSON for every other task. */
export async function deliver(
  task: object,
  application = noCallbacks,
  lock: NativeLock | null = null,
): Promise<unknown> {
  const conversation = new Conversation(application);
  const end = await conversation.hold(toJson(task, "what the call passes"), lock);
  // Thrown here, after the await, so that the stack names the caller.
  if ("failure" in end) throw new CutoverError(end.failure, end.cause);
  return end.ok;
}

type End = { ok: unknown } | { failure: Failure; cause: ErrorOptions | undefined };

/** The messages between one task and its thread. */
class Conversation {
  readonly #application: Application;
  #session: Session | undefined;
  #requests = 0;
  readonly #waiting = new Map<number, { resolve(ok: unknown): void; reject(error: Error): void }>();
  /** What callbacks threw, by the id of the call, for `cause` of the error. */
  readonly #thrown = new Map<number, unknown>();

  constructor(application: Application) {
    this.#application = application;
  }

  async hold(task: string, lock: NativeLock | null): Promise<End> {
    const abort = () => this.#send({ type: "abort" });
    const { signal } = this.#application;
    try {
      return await new Promise<End>((end) => {
        this.#session = start(task, lock, (delivery) => {
          if (typeof delivery === "string") this.#receive(JSON.parse(delivery) as Message, end);
          else end({ ok: delivery });
        });
        signal?.addEventListener("abort", abort, { once: true });
      });
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#session = undefined;
      // A callback that the task no longer waited for may have asked when the thread had ended.
      for (const { reject } of this.#waiting.values()) reject(settled());
      this.#waiting.clear();
    }
  }

  #receive(message: Message, end: (end: End) => void): void {
    switch (message.type) {
      case "call":
        return void this.#answer(message.id, message.call);
      case "reply":
        return this.#take(message.id)?.resolve(message.ok);
      case "refused":
        return this.#take(message.id)?.reject(new Error(message.message));
      case "done":
        return end({ ok: message.ok });
      case "failed":
        return end({
          failure: message.failure,
          cause: this.#cause(message.failure, message.cause),
        });
    }
  }

  #take(id: number) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #cause(
    { code }: Failure,
    cause: { call: number | null; message: string } | null,
  ): ErrorOptions | undefined {
    if (cause && cause.call !== null) return { cause: this.#thrown.get(cause.call) };
    if (code === "ABORTED") return { cause: this.#application.signal?.reason as unknown };
    return cause ? { cause: new Error(cause.message) } : undefined;
  }

  async #answer(id: number, call: Call): Promise<void> {
    const watch = setTimeout(
      () => this.#application.unsettled(call.name, UNSETTLED_MS),
      UNSETTLED_MS,
    );
    watch.unref();
    let open = true;
    const desk: Desk = {
      ask: (request) => this.#request(id, request),
      warn: (message) => this.#send({ type: "warn", call: id, message: wellFormed(message) }),
      alive: () => {
        if (open) watch.refresh();
        return open;
      },
    };
    try {
      const value = await this.#application.answer(call, desk);
      this.#send({ type: "answer", id, value: value ?? null });
    } catch (error) {
      this.#thrown.set(id, error);
      this.#send({ type: "threw", id, message: wellFormed(describe(error)) });
    } finally {
      open = false;
      clearTimeout(watch);
    }
  }

  #request(call: number, request: Parameters<Ask>[0]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.#session) throw settled();
      const id = ++this.#requests;
      this.#send({ type: "request", call, id, request });
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #send(message: object): void {
    this.#session?.send(toJson(message, "what a callback returns or passes"));
  }
}

/** Starts a task. The addon refuses a wrong one, which is a TypeError for the caller. */
function start(
  task: string,
  lock: NativeLock | null,
  receive: (delivery: string | NativeLock) => void,
): Session {
  const native = addon();
  try {
    return native.start(task, lock, receive);
  } catch (error) {
    throw new TypeError(`cutover: ${describe(error)}`, { cause: error });
  }
}

const settled = () => new Error("it can be used only until its callback has settled");

/** Text without half a surrogate pair, which cannot cross. */
const wellFormed = (text: string) => String(text).toWellFormed();
