// What was dropped, pasted or picked, as `diagnose` takes it. Of files no more is read than that needs.
import { readWal, type Given, type Platform } from "cutover-wasm/diagnose";

/** What is judged, and how much of it was read. */
export interface Taken {
  given: Given;
  /** What it is, for the person. */
  title: string;
  /** Bytes that were read. */
  read: number;
  /** Bytes that were there. */
  size: number;
  /** What was not looked at. */
  note?: string;
}

type Piece = NonNullable<Given["files"]>[number];

const MAGIC = "SQLite format 3\0";
/** A text that is longer is not read whole: it is no file of ours. */
const MOST_TEXT = 16 << 20;
/** A journal, or receipt, that is longer is not read. */
const MOST_JSON = 4 << 20;
/** The end of a log that is longer. */
const TAIL = 256 << 10;
/** The most files of a folder. */
const MOST_FILES = 2000;

export function takeText(text: string, title = "the text"): Taken {
  return { given: { text }, title, read: text.length, size: text.length };
}

/** Reads pieces of files, and counts them. */
class Reader {
  read = 0;

  async bytes(file: File, begin: number, end: number): Promise<Uint8Array> {
    const piece = new Uint8Array(await file.slice(begin, end).arrayBuffer());
    this.read += piece.length;
    return piece;
  }

  async text(file: File): Promise<string> {
    return new TextDecoder().decode(await this.bytes(file, 0, file.size));
  }

  stream(file: File): ReadableStream<Uint8Array> {
    const count = (piece: Uint8Array) => (this.read += piece.length);
    return file.stream().pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, into) {
          count(piece);
          into.enqueue(piece);
        },
      }),
    );
  }
}

/** Files, and the name of the folder that they are all the files of. `below`: how many things in it were left out, for they lie deeper. */
export interface Found {
  files: File[];
  folder: string | null;
  below: number;
}

/** Takes files, as `diagnose` wants them. */
export async function takeFiles({ files, folder, below }: Found, platform: Platform | null): Promise<Taken> {
  const reader = new Reader();
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const [only] = files;
  if (only && files.length === 1 && folder === null) {
    const text = await wholeText(only, reader);
    if (text !== null) return { given: { text: text.text }, title: only.name, read: reader.read, size, ...(text.cut && { note: "Only the end of it was read." }) };
  }
  const looked = files.slice(0, MOST_FILES + 1);
  const pieces: Piece[] = [];
  if (looked.length <= MOST_FILES) for (const file of looked) pieces.push(await piece(file, looked, reader));
  else pieces.push(...looked.map(({ name, size }) => ({ name, size })));
  const given = { files: pieces, wholeFolder: folder !== null, ...(platform && { platform }) };
  const title = folder !== null ? `the folder ${folder}` : files.length === 1 && only ? only.name : `${files.length} files`;
  return { given, title, read: reader.read, size, ...(below > 0 && { note: "What lies in folders below it was not looked at." }) };
}

/** A text file's text; of one that is too long for a file of ours, its end. Nothing of what is no text. */
async function wholeText(file: File, reader: Reader): Promise<{ text: string; cut: boolean } | null> {
  if (sidecar(file.name)) return null;
  const head = await reader.bytes(file, 0, 1024);
  // What PowerShell writes with `>` is UTF-16, and begins with a mark that says so.
  const utf16 = head[0] === 0xff && head[1] === 0xfe ? "utf-16le" : head[0] === 0xfe && head[1] === 0xff ? "utf-16be" : null;
  if (head.length === 0 || (utf16 === null && head.includes(0))) return null;
  const decoder = new TextDecoder(utf16 ?? "utf-8");
  if (file.size <= MOST_TEXT) return { text: decoder.decode(await reader.bytes(file, 0, file.size)), cut: false };
  // What is missing of a JSON that is cut could say otherwise.
  if (decoder.decode(head).trimStart().startsWith("{")) return null;
  return { text: decoder.decode(await reader.bytes(file, (file.size - TAIL) & ~1, file.size)), cut: true };
}

const sidecar = (name: string) => /-(wal|shm|journal)$/.test(name);

async function piece(file: File, all: readonly File[], reader: Reader): Promise<Piece> {
  const { name, size } = file;
  if (name.endsWith(".json")) return size <= MOST_JSON ? { name, size, text: await reader.text(file) } : { name, size };
  if (name.endsWith("-wal")) {
    const shm = all.find((other) => other.name === `${name.slice(0, -4)}-shm`);
    return { name, size, wal: await readWal(reader.stream(file), shm && (await reader.bytes(shm, 0, 4096))) };
  }
  if (sidecar(name) || name.endsWith("-lock")) return { name, size };
  const begin = await reader.bytes(file, 0, 100);
  if (new TextDecoder().decode(begin.subarray(0, MAGIC.length)) === MAGIC) {
    const pageSize = ((begin[16] ?? 0) << 8) | (begin[17] ?? 0);
    return { name, size, head: hex(await reader.bytes(file, 0, pageSize === 1 ? 65536 : pageSize)) };
  }
  // No database. It is judged as one all the same where its name, or what lies beside it, says that it should be.
  const should = /\.(db|sqlite3?)$/.test(name) || all.some((other) => other !== file && [".", "-"].some((mark) => other.name.startsWith(name + mark)));
  return should ? { name, size, head: hex(begin) } : { name, size };
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What a drop holds. It must be asked at once: afterwards the browser has taken it away. */
export function dropped(data: DataTransfer): () => Promise<Found & { text: string }> {
  const text = data.getData("text/plain");
  const files = [...data.files];
  const entries = [...data.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null)).filter((entry) => entry !== null);
  const [only] = entries;
  return async () => {
    if (only?.isDirectory && entries.length === 1) return { ...(await inside(only as FileSystemDirectoryEntry)), text: "" };
    // Several things were dropped: whether that is all of a folder nobody knows. A folder among them is no file.
    const plain = entries.length === 0 ? files : (await Promise.all(entries.filter((entry) => entry.isFile).map((entry) => open(entry as FileSystemFileEntry))));
    return { files: plain, folder: null, below: 0, text };
  };
}

const open = (entry: FileSystemFileEntry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject));

/** The files of a directory, not of those in it. */
async function inside(directory: FileSystemDirectoryEntry): Promise<Found> {
  const reader = directory.createReader();
  const files: File[] = [];
  let below = 0;
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return { files, folder: directory.name, below };
    below += some.filter((entry) => entry.isDirectory).length;
    files.push(...(await Promise.all(some.filter((entry) => entry.isFile).map((entry) => open(entry as FileSystemFileEntry)))));
  }
}

/** The files of a folder that was picked, not of those in it, and its name. */
export function picked(files: FileList): Found {
  const direct = [...files].filter((file) => file.webkitRelativePath.split("/").length === 2);
  return { files: direct, below: files.length - direct.length, folder: files[0]?.webkitRelativePath.split("/")[0] ?? "" };
}
