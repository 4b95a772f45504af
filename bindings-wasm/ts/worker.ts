// Explores in a worker. It never yields: the thread that started the worker ends it to cancel.
import { once } from "./module.js";
import type { Said, Task } from "./explore.js";
import type { Progress } from "./generated.js";
import init, { Exploration, replayCrash } from "./wasm/cutover_wasm_explorer.js";

/** Starts between two reports of progress. */
const STARTS = 64;

const load = once(init, new URL("./wasm/cutover_wasm_explorer_bg.wasm", import.meta.url));

async function perform(task: Task, say: (said: Said) => void): Promise<void> {
  try {
    await load();
    say({ answer: "replay" in task ? replayCrash(task.replay) : explore(task.question, say) });
  } catch (error) {
    // The explorer throws the answer that refuses a question, as text.
    say(typeof error === "string" ? { answer: error } : { broken: String(error) });
  }
}

function explore(question: string, say: (said: Said) => void): string {
  const exploration = new Exploration(question);
  for (;;) {
    const progress = exploration.on(STARTS);
    say({ progress });
    const { done, total } = (JSON.parse(progress) as { ok: Progress }).ok;
    if (done === total) return exploration.matrix();
  }
}

interface Scope {
  postMessage(said: Said): void;
  onmessage: ((message: { data: Task }) => void) | null;
}

const scope = globalThis as unknown as Scope & { WorkerGlobalScope?: unknown };
if (typeof scope.WorkerGlobalScope !== "undefined") {
  scope.onmessage = ({ data }) => void perform(data, (said) => scope.postMessage(said));
} else {
  const threads = "node:worker_threads";
  // Not awaited here: a worker that a bundler makes is a script, which cannot wait.
  void import(/* @vite-ignore */ /* webpackIgnore: true */ threads).then(
    ({ parentPort }: typeof import("node:worker_threads")) =>
      parentPort?.on(
        "message",
        (task: Task) => void perform(task, (said) => parentPort.postMessage(said)),
      ),
  );
}
