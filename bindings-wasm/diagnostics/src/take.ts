// What a person dropped, pasted or picked, as `diagnose` takes it. Of a file the page reads only
// what the diagnosis needs, and SQLite reads the pages of a database.
import { readWal, type Given as Input, type Platform } from "cutover-wasm/diagnose";
import { bytes as inWords } from "./dom.js";
import type { Found, Given } from "./drop.js";
import { BY_ITSELF, readPages } from "./pages/read.js";
import { isArchive, unpack } from "./unpack.js";

/** The input of the diagnosis, and how much of the files the page read. */
export interface Taken {
  given: Input;
  /** Its name, for the person. */
  title: string;
  /** How much the page read, bytes. */
  read: number;
  /** How much the person gave, bytes. */
  size: number;
  /** What the page did not read. */
  note?: string;
  /** Whether databases are left that the page reads only if it is asked to. */
  more?: boolean;
}

/** How files are to be taken. */
export interface How {
  platform: Platform | null;
  /** The database that is meant. */
  database?: string;
  /** Whether pages are read however many there are. */
  all?: boolean;
  onProgress(doing: string, part: number): void;
  signal: AbortSignal;
}

type Piece = NonNullable<Input["files"]>[number];

const MAGIC = "SQLite format 3\0";
/** The longest text that the page reads whole, bytes. No file of cutover is longer. */
const MOST_TEXT = 16 << 20;
/** The longest journal or receipt that the page reads, bytes. */
const MOST_JSON = 4 << 20;
/** How much of the end of a longer log the page reads, bytes. */
const TAIL = 256 << 10;
/** How much text of a folder the page reads in all, bytes. */
const MOST_OF_FOLDER = 16 << 20;
/** What has text that may tell something. */
const TEXTS = /\.(json|jsonl|ndjson|log|txt|md|eml|csv|xml|html?)$/i;
/** The databases beside one that cutover names; their receipts tell of them. */
const OF_CUTOVER = /(\.(building|install|source|displaced)|-\d+)-[0-9a-f]{8}$/;

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
export async function takeFiles(found: Found, how: How): Promise<Taken> {
  const reader = new Reader();
  const { files, beside, whole, title, note } = await unpacked(found);
  const size = [...files, ...beside].reduce((sum, { file }) => sum + file.size, 0);
  const [only] = files;
  if (only && files.length === 1 && beside.length === 0 && !whole) {
    const text = await wholeText(only.file, reader);
    if (text !== null)
      return {
        given: { text: text.text },
        title,
        read: reader.read,
        size,
        ...(text.cut && { note: "The page read only its end." }),
      };
  }
  const pieces: Piece[] = [];
  let budget = MOST_OF_FOLDER;
  for (const one of files) {
    const piece = await pieceOf(one, files, reader, budget);
    budget -= piece.text?.length ?? 0;
    pieces.push(piece);
  }
  // What is beside the folder belongs to no database in it.
  for (const { file } of beside) {
    const text = await wholeText(file, reader);
    pieces.push({ name: `beside/${file.name}`, size: file.size, ...(text && { text: text.text }) });
  }
  const more = await readAll(pieces, files, reader, how);
  const { platform, database } = how;
  return {
    given: {
      files: pieces,
      wholeFolder: whole,
      ...(platform && { platform }),
      ...(database !== undefined && { database }),
    },
    title,
    read: reader.read,
    size,
    more,
    ...(note && { note }),
  };
}

/** What was found, with archives unpacked. An archive alone is a folder. */
async function unpacked({ files, folder, beside, left }: Found) {
  let archives = 0;
  const open = async (given: Given[]) => {
    const all: Given[] = [];
    for (const one of given)
      if (await isArchive(one.file)) {
        archives += 1;
        all.push(...(await unpack(one.file)));
      } else all.push(one);
    return all;
  };
  const [only] = files;
  const alone = folder === null && files.length === 1;
  const opened = folder === null ? await open(files) : files;
  const zipped = alone && archives > 0 && opened.length > 1;
  const note = left ? "Some files were left out: there are too many, or they are too deep." : "";
  const title =
    folder !== null
      ? `the folder ${folder}`
      : alone && only
        ? only.file.name
        : `${files.length} files`;
  return {
    files: opened,
    beside: await open(beside),
    whole: (folder !== null && !left) || zipped,
    title,
    note,
  };
}

/** Lets SQLite read the pages of the databases. Tells whether some are left. */
async function readAll(
  pieces: Piece[],
  files: readonly Given[],
  reader: Reader,
  { database, all, onProgress, signal }: How,
): Promise<boolean> {
  const beside = (name: string, suffix: string) =>
    files.find(({ path }) => path === name + suffix)?.file;
  const sets = pieces
    .filter(({ name, head }) => head?.startsWith("53514c697465") && !OF_CUTOVER.test(name))
    .filter(({ name }) => database === undefined || name === database)
    .flatMap((piece) => {
      const file = beside(piece.name, "");
      if (!file) return [];
      const [wal, journal] = [beside(piece.name, "-wal"), beside(piece.name, "-journal")];
      return [{ piece, task: { database: file, wal, journal }, size: file.size + (wal?.size ?? 0) }];
    })
    .sort((a, b) => a.size - b.size);
  let budget = all ? Infinity : BY_ITSELF;
  let left = false;
  for (const { piece, task, size } of sets) {
    if (size > budget) {
      const why = `it has ${inWords(size)}, which the page reads only if it is asked to`;
      piece.check = { result: "not-made", why };
      left = true;
      continue;
    }
    budget -= size;
    const tell = (read: number) => onProgress(`Reading every page of ${piece.name}`, read / size);
    tell(0);
    const { check, content } = await readPages(task, tell, signal);
    reader.read += size;
    piece.check = check;
    piece.content = content;
  }
  return left;
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

async function pieceOf(
  { path: name, file }: Given,
  all: readonly Given[],
  reader: Reader,
  budget: number,
): Promise<Piece> {
  const { size } = file;
  const other = (path: string) => all.find((one) => one.path === path)?.file;
  if (name.endsWith("-wal")) {
    const shm = other(`${name.slice(0, -4)}-shm`);
    return {
      name,
      size,
      wal: await readWal(reader.stream(file), shm && (await reader.bytes(shm, 0, 136))),
    };
  }
  if (name.endsWith("-shm")) return { name, size, head: hex(await reader.bytes(file, 0, 136)) };
  if (sidecar(name) || name.endsWith("-lock")) return { name, size };
  if (TEXTS.test(name)) {
    if (size > Math.min(budget, name.endsWith(".json") ? MOST_JSON : MOST_TEXT))
      return { name, size };
    const text = size === 0 ? { text: "" } : await wholeText(file, reader);
    return text === null ? { name, size } : { name, size, text: text.text };
  }
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
      ({ path }) => path !== name && [".", "-"].some((mark) => path.startsWith(name + mark)),
    );
  return should ? { name, size, head: hex(begin) } : { name, size };
}

const hex = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
