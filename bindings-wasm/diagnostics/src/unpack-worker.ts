// Unpacks what people compress before they send it, so that the page stays free.
import { Gunzip, unzipSync } from "fflate";

/** What is in an archive. */
export type Unpacked = { files: { path: string; bytes: Uint8Array }[] } | { broken: string };

/** The most bytes that an archive may hold: a small one can claim any number. */
const MOST = 512 << 20;
const TOO_MUCH = "it holds more than 512 MB";

function gunzip(bytes: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  const stream = new Gunzip((piece, last) => {
    size += piece.length;
    ended ||= last;
    if (size > MOST) throw new Error(TOO_MUCH);
    pieces.push(piece);
  });
  stream.push(bytes, true);
  if (!ended) throw new Error("it is cut short");
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function unpack(name: string, bytes: Uint8Array): { path: string; bytes: Uint8Array }[] {
  if (bytes[0] === 0x1f) return [{ path: name.replace(/\.gz$/i, ""), bytes: gunzip(bytes) }];
  let size = 0;
  const entries = unzipSync(bytes, {
    filter: ({ originalSize }) => {
      size += originalSize;
      if (size > MOST) throw new Error(TOO_MUCH);
      return true;
    },
  });
  return Object.entries(entries)
    .filter(([path]) => !path.endsWith("/"))
    .map(([path, bytes]) => ({ path, bytes }));
}

const scope = self as unknown as {
  postMessage(said: Unpacked): void;
  onmessage: (message: { data: { name: string; file: Blob } }) => void;
};

scope.onmessage = ({ data: { name, file } }) => {
  file
    .arrayBuffer()
    .then((buffer) => scope.postMessage({ files: unpack(name, new Uint8Array(buffer)) }))
    .catch((error: unknown) =>
      scope.postMessage({ broken: error instanceof Error ? error.message : String(error) }),
    );
};
