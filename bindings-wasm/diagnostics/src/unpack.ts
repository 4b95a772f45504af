// Archives among the files that a person gave.
import type { Given } from "./drop.js";
import type { Unpacked } from "./unpack-worker.js";

/** Whether a file begins as a gzip or a zip archive does. */
export async function isArchive(file: File): Promise<boolean> {
  const [a, b, c] = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  return (a === 0x1f && b === 0x8b) || (a === 0x50 && b === 0x4b && c === 3);
}

/**
 * The files in an archive.
 *
 * @throws `Error` why it cannot be unpacked.
 */
export function unpack(file: File): Promise<Given[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./unpack-worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Unpacked>) => {
      worker.terminate();
      if ("broken" in data) return reject(new Error(data.broken));
      const part = (path: string) => path.split("/").pop() ?? path;
      resolve(
        data.files.map(({ path, bytes }) => ({
          path,
          file: new File([bytes as Uint8Array<ArrayBuffer>], part(path)),
        })),
      );
    };
    worker.onerror = () => reject(new Error("the page could not load what unpacks archives"));
    worker.postMessage({ name: file.name, file });
  });
}
