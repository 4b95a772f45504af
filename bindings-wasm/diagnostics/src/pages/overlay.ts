// A file that SQLite may write to, over a source that stays as it is: what SQLite writes, when it
// rolls a journal back or reads a log, stays in memory.

/** Bytes that can be read at once, from anywhere. */
export interface Source {
  size: number;
  read(begin: number, end: number): Uint8Array;
}

/** How much is read of the source at a time, bytes: SQLite asks for a page at a time. */
const CHUNK = 1 << 20;
const BLOCK = 4096;

export class Overlay {
  size: number;
  /** The end of what the source still gives. */
  private end: number;
  private chunk: { at: number; bytes: Uint8Array } = { at: -1, bytes: new Uint8Array() };
  private readonly written = new Map<number, Uint8Array>();

  constructor(
    private readonly source: Source,
    private readonly onRead: (bytes: number) => void,
  ) {
    this.size = this.end = source.size;
  }

  /** Fills `into` from `at`. False where the file ends before: the rest is zero. */
  read(into: Uint8Array, at: number): boolean {
    for (let done = 0; done < into.length; ) {
      const block = Math.floor((at + done) / BLOCK);
      const from = (at + done) % BLOCK;
      const part = into.subarray(done, done + BLOCK - from);
      const own = this.written.get(block);
      if (own) part.set(own.subarray(from, from + part.length));
      else this.fromSource(part, at + done);
      done += part.length;
    }
    const past = at + into.length - this.size;
    if (past <= 0) return true;
    into.subarray(Math.max(0, into.length - past)).fill(0);
    return false;
  }

  write(bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length; ) {
      const block = Math.floor((at + done) / BLOCK);
      const from = (at + done) % BLOCK;
      const part = bytes.subarray(done, done + BLOCK - from);
      let own = this.written.get(block);
      if (!own) {
        own = new Uint8Array(BLOCK);
        this.fromSource(own, block * BLOCK);
        this.written.set(block, own);
      }
      own.set(part, from);
      done += part.length;
    }
    this.size = Math.max(this.size, at + bytes.length);
  }

  truncate(size: number): void {
    this.size = size;
    this.end = Math.min(this.end, size);
    for (const [block, bytes] of this.written)
      if (block * BLOCK >= size) this.written.delete(block);
      else if ((block + 1) * BLOCK > size) bytes.fill(0, size - block * BLOCK);
  }

  private fromSource(into: Uint8Array, at: number): void {
    into.fill(0);
    for (let done = 0; done < into.length && at + done < this.end; ) {
      const begin = Math.floor((at + done) / CHUNK) * CHUNK;
      if (this.chunk.at !== begin) {
        const bytes = this.source.read(begin, Math.min(begin + CHUNK, this.source.size));
        this.chunk = { at: begin, bytes };
        this.onRead(bytes.length);
      }
      const from = at + done - begin;
      const length = Math.min(into.length - done, CHUNK - from, this.end - at - done);
      into.set(this.chunk.bytes.subarray(from, from + length), done);
      done += length;
    }
  }
}
