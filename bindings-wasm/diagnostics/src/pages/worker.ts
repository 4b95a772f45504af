// Reads pages, so that the page stays free. The page ends the worker to stop it.
import { check, type Checked } from "./check.js";
import type { Source } from "./overlay.js";

/** What the worker is asked. */
export interface Task {
  database: Blob;
  wal?: Blob | undefined;
  journal?: Blob | undefined;
}
/** What the worker says: how much it has read, and at last what SQLite said. */
export type Said = { read: number } | { checked: Checked } | { broken: string };

const EVERY_MS = 100;

const scope = self as unknown as {
  postMessage(said: Said): void;
  onmessage: (message: { data: Task }) => void;
};

const source = (file: Blob): Source => ({
  size: file.size,
  read: (begin, end) =>
    new Uint8Array(new FileReaderSync().readAsArrayBuffer(file.slice(begin, end))),
});

scope.onmessage = ({ data }) => {
  let read = 0;
  let told = 0;
  const onRead = (bytes: number) => {
    read += bytes;
    if (performance.now() - told < EVERY_MS) return;
    told = performance.now();
    scope.postMessage({ read });
  };
  const files = {
    database: source(data.database),
    ...(data.wal && { wal: source(data.wal) }),
    ...(data.journal && { journal: source(data.journal) }),
  };
  check(files, onRead).then(
    (checked) => scope.postMessage({ checked }),
    (error: unknown) => scope.postMessage({ broken: String(error) }),
  );
};

declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}
