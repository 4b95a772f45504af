// The system calls of a program on files, as strace counts them. They do not depend on the machine.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { scratch } from "../corpus/corpus.js";

export interface Counts {
  /** Flushes of each file and of the directory, by its name without time and nonce. */
  flushes: Map<string, number>;
  /** Bytes written to each file. */
  bytes: Map<string, number>;
  /** The calls on each file, by descriptor or name; `openat` only if it may create the file. */
  calls: Map<string, Set<string>>;
}

/** The sum over the files that `which` selects. */
export const sum = (counts: Map<string, number>, which = (_: string) => true): number =>
  [...counts].reduce((total, [file, n]) => total + (which(file) ? n : 0), 0);

/**
 * The command to put before another, and its counts once that has run. strace writes one file a
 * thread, so that no call is split in two.
 */
export function strace(database: string): { under: string[]; counts: () => Counts } {
  const output = join(scratch(), "trace");
  const writes = "fsync,fdatasync,write,writev,pwrite64,pwritev,pwritev2,copy_file_range,sendfile";
  const names = "openat,link,linkat,rename,renameat,renameat2,unlink,unlinkat";
  return {
    under: ["strace", "-ff", "-y", "-s", "0", "-e", `trace=${writes},${names}`, "-o", output],
    counts: () => {
      const counts: Counts = { flushes: new Map(), bytes: new Map(), calls: new Map() };
      const directory = dirname(database);
      const named = (path: string) =>
        path === directory
          ? "."
          : basename(path).replaceAll(/\d{13}-[0-9a-f]{8}|[0-9a-f]{8}(?=[.-]|$)/g, "*");
      for (const name of readdirSync(dirname(output))) {
        for (const line of readFileSync(join(dirname(output), name), "utf8").split("\n")) {
          const [, call, args, result] = /^(\w+)\((.*)\) += (-?\d+)/.exec(line) ?? [];
          const open = [...(args ?? "").matchAll(/\d+<([^>]*)>/g)].map(([, path]) => path ?? "");
          const given = [...(args ?? "").matchAll(/"([^"]*)"/g)].map(([, path]) => path ?? "");
          for (const path of [...open, ...given].filter((path) => path.startsWith(directory))) {
            if (call === undefined || (call === "openat" && !args?.includes("O_CREAT"))) continue;
            counts.calls.set(named(path), (counts.calls.get(named(path)) ?? new Set()).add(call));
          }
          if (!writes.split(",").includes(call ?? "")) continue;
          // The written file: the second descriptor of a copy, the first of any other call.
          const path = (call === "copy_file_range" ? open[1] : open[0]) ?? "";
          // The application holds the owner lock for life, so it does not count.
          if (!path.startsWith(directory) || path.includes("-lock")) continue;
          const file = named(path);
          const flush = call === "fsync" || call === "fdatasync";
          const map = flush ? counts.flushes : counts.bytes;
          map.set(file, (map.get(file) ?? 0) + (flush ? 1 : Math.max(0, Number(result))));
        }
      }
      return counts;
    },
  };
}

/** The size of a file set without its -shm, which has no data. */
export function setBytes(database: string): number {
  const size = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return size(database) + size(`${database}-wal`) + size(`${database}-journal`);
}
