// What a person dropped, pasted or picked, as `diagnose` takes it. Of a file the page reads only
// what the diagnosis needs.
import { readWal, type Given, type Platform } from "cutover-wasm/diagnose";
import type { Found } from "./drop.js";

/** The input of the diagnosis, and how much of the files the page read. */
export interface Taken {
  given: Given;
  /** Its name, for the person. */
  title: string;
  /** How much the page read, bytes. */
  read: number;
  /** How much the person gave, bytes. */
  size: number;
  /** What the page did not read. */
  note?: string;
}

type Piece = NonNullable<Given["files"]>[number];

const MAGIC = "SQLite format 3\0";
/** The longest text that the page reads whole, bytes. No file of cutover is longer. */
const MOST_TEXT = 16 << 20;
/** The longest journal or receipt that the page reads, bytes. */
const MOST_JSON = 4 << 20;
/** How much of the end of a longer log the page reads, bytes. */
const TAIL = 256 << 10;
/** The most files of a folder that the page reads. */
const MOST_FILES = 2000;

export function takeText(text: string, title = "the text"): Taken {
  return { given: { text }, title, read: text.length, size: text.length };
}

/** Reads parts of files, and counts the bytes. */
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

/** Reads files for `diagnose`. */
export async function takeFiles(
  { files, folder, below }: Found,
  platform: Platform | null,
): Promise<Taken> {
  const reader = new Reader();
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const [only] = files;
  if (only && files.length === 1 && folder === null) {
    const text = await wholeText(only, reader);
    if (text !== null)
      return {
        given: { text: text.text },
        title: only.name,
        read: reader.read,
        size,
        ...(text.cut && { note: "The page read only its end." }),
      };
  }
  const looked = files.slice(0, MOST_FILES + 1);
  const pieces: Piece[] = [];
  if (looked.length <= MOST_FILES)
    for (const file of looked) pieces.push(await piece(file, looked, reader));
  else pieces.push(...looked.map(({ name, size }) => ({ name, size })));
  const given = { files: pieces, wholeFolder: folder !== null, ...(platform && { platform }) };
  const title =
    folder !== null
      ? `the folder ${folder}`
      : files.length === 1 && only
        ? only.name
        : `${files.length} files`;
  return {
    given,
    title,
    read: reader.read,
    size,
    ...(below > 0 && { note: "The page did not read the folders below it." }),
  };
}

/** The text of a text file, or the end of a long one; `null` for any other file. */
async function wholeText(
  file: File,
  reader: Reader,
): Promise<{ text: string; cut: boolean } | null> {
  if (sidecar(file.name)) return null;
  const head = await reader.bytes(file, 0, 1024);
  // PowerShell writes UTF-16 with `>`; the text then begins with a byte order mark.
  const utf16 =
    head[0] === 0xff && head[1] === 0xfe
      ? "utf-16le"
      : head[0] === 0xfe && head[1] === 0xff
        ? "utf-16be"
        : null;
  if (head.length === 0 || (utf16 === null && head.includes(0))) return null;
  const decoder = new TextDecoder(utf16 ?? "utf-8");
  if (file.size <= MOST_TEXT)
    return { text: decoder.decode(await reader.bytes(file, 0, file.size)), cut: false };
  // The missing part of a JSON could change its meaning.
  if (decoder.decode(head).trimStart().startsWith("{")) return null;
  return {
    text: decoder.decode(await reader.bytes(file, (file.size - TAIL) & ~1, file.size)),
    cut: true,
  };
}

const sidecar = (name: string) => /-(wal|shm|journal)$/.test(name);

async function piece(file: File, all: readonly File[], reader: Reader): Promise<Piece> {
  const { name, size } = file;
  if (name.endsWith(".json"))
    return size <= MOST_JSON ? { name, size, text: await reader.text(file) } : { name, size };
  if (name.endsWith("-wal")) {
    const shm = all.find((other) => other.name === `${name.slice(0, -4)}-shm`);
    return {
      name,
      size,
      wal: await readWal(reader.stream(file), shm && (await reader.bytes(shm, 0, 4096))),
    };
  }
  if (sidecar(name) || name.endsWith("-lock")) return { name, size };
  const begin = await reader.bytes(file, 0, 100);
  if (new TextDecoder().decode(begin.subarray(0, MAGIC.length)) === MAGIC) {
    const pageSize = ((begin[16] ?? 0) << 8) | (begin[17] ?? 0);
    return {
      name,
      size,
      head: hex(await reader.bytes(file, 0, pageSize === 1 ? 65536 : pageSize)),
    };
  }
  // The file is not a database. The diagnosis still judges it as one if its name, or a file beside
  // it, says that it should be one.
  const should =
    /\.(db|sqlite3?)$/.test(name) ||
    all.some(
      (other) => other !== file && [".", "-"].some((mark) => other.name.startsWith(name + mark)),
    );
  return should ? { name, size, head: hex(begin) } : { name, size };
}

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
