// Lets SQLite read the pages of a database that is not on a disk: its official WebAssembly build,
// over files that are read in pieces. Nothing is written.
import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import type { Check, Content } from "cutover-wasm/diagnose";
import { Overlay, type Source } from "./overlay.js";

/** A database with the files that SQLite reads with it. */
export interface Files {
  database: Source;
  wal?: Source;
  journal?: Source;
}

/** What SQLite said. `content` is there only where the database is sound. */
export interface Checked {
  check: Check;
  content: Content | null;
}

const NAME = "/given.db";
/** `SQLITE_CORRUPT` and `SQLITE_NOTADB`. */
const DAMAGE = [11, 26];
/** The most problems that SQLite names. */
const MOST_PROBLEMS = 100;
/**
 * What SQLite says of rows that a constraint forbids. They stand in sound pages; the application or
 * another SQLite put them there.
 */
const OF_A_ROW = /^(non-unique entry|[^ ]+ value) in /;
/** What SQLite says of a schema that it cannot read, because another SQLite wrote it. */
const FOREIGN =
  /malformed database schema|no such (collation sequence|function|module)|unknown (function|tokenizer)|unsupported encoding/;
const BROKEN = /invalid rootpage|orphan index/;

type Sqlite3 = Awaited<ReturnType<typeof sqlite3InitModule>>;

const nothing: Source = { size: 0, read: () => new Uint8Array() };
/** The files of the database that is being read. */
const disk = new Map<string, Overlay>();
let loading: Promise<Sqlite3> | undefined;

/** SQLite, with a file system that has the files of {@link disk}. */
async function load(): Promise<Sqlite3> {
  // Else it looks for a file system of the browser, and complains that there is none.
  const disable = { vfs: { kvvfs: true, opfs: true, "opfs-vfs": true, "opfs-sahpool": true, "opfs-wl": true } };
  Object.assign(globalThis, { sqlite3ApiConfig: { disable, warn: () => {}, error: () => {} } });
  const sqlite3 = await sqlite3InitModule();
  const { capi, wasm } = sqlite3;
  const open = new Map<number, Overlay>();
  const of = (file: unknown) => open.get(Number(file));
  const bytes = (at: unknown, length: number) =>
    wasm.heap8u().subarray(Number(at), Number(at) + length);

  // The types of the package lack some names of these structures.
  const io = new capi.sqlite3_io_methods() as InstanceType<typeof capi.sqlite3_io_methods> & {
    $iVersion: number;
  };
  const vfs = new capi.sqlite3_vfs();
  // Version 1 has no shared memory: SQLite then keeps the index of a log in its own.
  io.$iVersion = 1;
  vfs.$iVersion = 1;
  const { structInfo } = capi.sqlite3_file as unknown as { structInfo: { sizeof: number } };
  vfs.$szOsFile = structInfo.sizeof;
  vfs.$mxPathname = 256;
  // Each method is a function of its own: one for two members would have the signature of the first.
  sqlite3.vfs.installVfs({
    io: {
      struct: io,
      methods: {
        xClose: (file: unknown) => {
          open.delete(Number(file));
          return 0;
        },
        xRead: (file: unknown, into: unknown, length: number, at: bigint) =>
          of(file)?.read(bytes(into, length), Number(at)) ? 0 : capi.SQLITE_IOERR_SHORT_READ,
        xWrite: (file: unknown, from: unknown, length: number, at: bigint) => {
          of(file)?.write(bytes(from, length), Number(at));
          return 0;
        },
        xTruncate: (file: unknown, size: bigint) => {
          of(file)?.truncate(Number(size));
          return 0;
        },
        xFileSize: (file: unknown, into: number) => {
          wasm.poke(into as never, BigInt(of(file)?.size ?? 0) as never, "i64");
          return 0;
        },
        xCheckReservedLock: (_: unknown, into: number) => {
          wasm.poke(into as never, 0, "i32");
          return 0;
        },
        xSync: () => 0,
        xLock: () => 0,
        xUnlock: () => 0,
        xFileControl: () => capi.SQLITE_NOTFOUND,
        xSectorSize: () => 4096,
        xDeviceCharacteristics: () => 0,
      } as never,
    },
    vfs: {
      struct: vfs,
      name: "given",
      methods: {
        xOpen: (_: unknown, name: number, file: number, flags: number, outFlags: number) => {
          const path = name ? wasm.cstrToJs(name as never) : null;
          let opened = path === null ? undefined : disk.get(path);
          if (!opened) {
            if (path !== null && !(flags & capi.SQLITE_OPEN_CREATE)) return capi.SQLITE_CANTOPEN;
            opened = new Overlay(nothing, () => {});
            if (path !== null) disk.set(path, opened);
          }
          open.set(Number(file), opened);
          if (outFlags) wasm.poke(outFlags as never, flags, "i32");
          const struct = new capi.sqlite3_file(file as never);
          struct.$pMethods = io.pointer;
          struct.dispose();
          return 0;
        },
        xDelete: (_: unknown, name: number) => {
          disk.delete(wasm.cstrToJs(name as never) ?? "");
          return 0;
        },
        xAccess: (_: unknown, name: number, __: number, into: number) => {
          wasm.poke(into as never, disk.has(wasm.cstrToJs(name as never) ?? "") ? 1 : 0, "i32");
          return 0;
        },
        xFullPathname: (_: unknown, name: number, most: number, into: number) =>
          wasm.cstrncpy(into as never, name as never, most) < most ? 0 : capi.SQLITE_CANTOPEN,
        xGetLastError: () => 0,
        xSleep: () => 0,
        xRandomness: (_: unknown, length: number, into: unknown) => {
          crypto.getRandomValues(bytes(into, length) as Uint8Array<ArrayBuffer>);
          return length;
        },
        xCurrentTime: (_: unknown, into: number) => {
          wasm.poke(into as never, 2440587.5 + Date.now() / 864e5, "double");
          return 0;
        },
      } as never,
    },
  });

  return sqlite3;
}

export async function check(files: Files, onRead: (bytes: number) => void): Promise<Checked> {
  const { oo1 } = await (loading ??= load());
  disk.clear();
  disk.set(NAME, new Overlay(files.database, onRead));
  if (files.wal) disk.set(`${NAME}-wal`, new Overlay(files.wal, onRead));
  if (files.journal) disk.set(`${NAME}-journal`, new Overlay(files.journal, onRead));
  const notMade = (why: string): Checked => ({
    check: { result: "not-made", why },
    content: null,
  });
  let database;
  try {
    database = new oo1.DB(NAME, "w", "given");
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY");
    const said = database
      .selectValues(`PRAGMA quick_check(${MOST_PROBLEMS})`)
      .map(String)
      .filter((line) => line !== "ok");
    const damage = said.filter((line) => !OF_A_ROW.test(line));
    if (damage.length > 0)
      return { check: { result: "damaged", problems: damage.length }, content: null };
    if (said.length > 0) return notMade("SQLite names rows that a constraint forbids");
    return { check: { result: "sound" }, content: count(database) };
  } catch (error) {
    const { resultCode = 0, message } = error as { resultCode?: number; message: string };
    if (FOREIGN.test(message) && !BROKEN.test(message))
      return notMade(
        "SQLite cannot read all of the schema: another SQLite, or the application's own extension, made it",
      );
    if (DAMAGE.includes(resultCode & 0xff))
      return { check: { result: "damaged", problems: 1 }, content: null };
    return notMade(`SQLite could not read it (${message})`);
  } finally {
    database?.close();
  }
}

interface Database {
  selectValues(sql: string): unknown[];
  selectValue(sql: string): unknown;
}

/** Counts the tables and rows. Tables of SQLite's own, and of virtual tables, do not count. */
function count(database: Database): Content | null {
  try {
    const tables = database
      .selectValues(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
      )
      .map((name) => `"${String(name).replaceAll('"', '""')}"`);
    const rows = tables.map((table) =>
      Number(database.selectValue(`SELECT count(*) FROM ${table}`)),
    );
    return { tables: tables.length, rows: rows.reduce((sum, more) => sum + more, 0) };
  } catch {
    return null;
  }
}
