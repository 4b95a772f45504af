// Rewrites the packed relative relocations of a shared library (DT_RELR) as plain ones (DT_RELA). musl knows DT_RELR from 1.2.4 on, and Debian 12 has
// 1.2.3. The fields of a 64-bit ELF file: man 5 elf; the format of DT_RELR: the ELF specification's section "Relative Relocation Table".
const [LOAD, DYNAMIC, NOTE] = [1, 2, 4];
const [RELA, RELASZ, RELRSZ, RELR, RELRENT] = [7, 8, 35, 36, 37];
/** Ignored by a loader. */
const DEBUG = 21;
const R_X86_64_RELATIVE = 8n;
const PAGE = 4096;

/** The file without DT_RELR, or as it is. */
export function withoutRelr(file) {
  const number = (at) => Number(file.readBigUInt64LE(at));
  const segments = Array.from({ length: file.readUInt16LE(56) }, (_, index) => number(32) + index * file.readUInt16LE(54));
  const of = (type) => segments.filter((at) => file.readUInt32LE(at) === type);
  const loads = of(LOAD).map((at) => ({ offset: number(at + 8), address: number(at + 16), size: number(at + 32), memory: number(at + 40) }));
  const offset = (address) => {
    const load = loads.find((load) => address >= load.address && address < load.address + load.size);
    return address - load.address + load.offset;
  };
  const entries = new Map();
  for (let at = number(of(DYNAMIC)[0] + 8); number(at) !== 0; at += 16) entries.set(number(at), at);
  if (!entries.has(RELR)) return file;
  const value = (tag) => number(entries.get(tag) + 8);

  const places = [];
  let next = 0;
  for (let at = offset(value(RELR)); at < offset(value(RELR)) + value(RELRSZ); at += 8) {
    const entry = file.readBigUInt64LE(at);
    if ((entry & 1n) === 0n) {
      places.push(Number(entry));
      next = Number(entry) + 8;
    } else {
      for (let bit = 1; bit < 64; bit++) if ((entry >> BigInt(bit)) & 1n) places.push(next + (bit - 1) * 8);
      next += 63 * 8;
    }
  }
  const old = file.subarray(offset(value(RELA)), offset(value(RELA)) + value(RELASZ));
  const added = Buffer.alloc(places.length * 24);
  for (const [index, place] of places.entries()) {
    added.writeBigUInt64LE(BigInt(place), index * 24);
    added.writeBigUInt64LE(R_X86_64_RELATIVE, index * 24 + 8);
    added.writeBigUInt64LE(file.readBigUInt64LE(offset(place)), index * 24 + 16);
  }
  const table = Buffer.concat([old, added]);
  const end = Math.ceil(file.length / PAGE) * PAGE;
  const address = Math.ceil(Math.max(...loads.map((load) => load.address + load.memory)) / PAGE) * PAGE;
  const made = Buffer.concat([file, Buffer.alloc(end - file.length), table]);
  // The segment of a note takes the table.
  const [segment] = of(NOTE);
  made.writeUInt32LE(LOAD, segment);
  made.writeUInt32LE(4, segment + 4);
  for (const [index, field] of [end, address, address, table.length, table.length, PAGE].entries()) made.writeBigUInt64LE(BigInt(field), segment + 8 + index * 8);
  const set = (tag, field) => made.writeBigUInt64LE(BigInt(field), entries.get(tag) + 8);
  set(RELA, address);
  set(RELASZ, table.length);
  for (const tag of [RELR, RELRSZ, RELRENT]) made.writeBigUInt64LE(BigInt(DEBUG), entries.get(tag));
  return made;
}
