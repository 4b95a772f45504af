// What an addon says of itself, read from its own headers: its processor, the libraries that it wants, what it exports.

const text = (file, at) => file.toString("latin1", at, file.indexOf(0, at));

/** Linux. The fields of a 64-bit ELF file: man 5 elf. */
export function elf(file) {
  const number = (at) => Number(file.readBigUInt64LE(at));
  const [table, size, count] = [number(40), file.readUInt16LE(58), file.readUInt16LE(60)];
  const sections = Array.from({ length: count }, (_, index) => table + index * size).map((at) => ({
    type: file.readUInt32LE(at + 4),
    offset: number(at + 24),
    size: number(at + 32),
    link: file.readUInt32LE(at + 40),
  }));
  const of = (type) => sections.find((section) => section.type === type);
  const [dynamic, symbols] = [of(6), of(11)];
  const strings = sections[symbols.link];
  const libraries = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16)
    if (number(at) === 1) libraries.push(text(file, strings.offset + number(at + 8)));
  const exports = [];
  for (let at = symbols.offset; at < symbols.offset + symbols.size; at += 24)
    if (file.readUInt16LE(at + 6) !== 0) exports.push(text(file, strings.offset + file.readUInt32LE(at)));
  const names = file.toString("latin1", strings.offset, strings.offset + strings.size);
  const versions = [...names.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  const cpu = { 62: "x64", 183: "arm64" }[file.readUInt16LE(18)];
  return { cpu, libraries, exports, glibc: versions.length > 0 ? Math.max(...versions) : undefined };
}

/** macOS. The structures: <mach-o/loader.h>, <mach-o/nlist.h>. */
export function machO(file) {
  if (file.readUInt32LE(0) !== 0xfeedfacf) throw new Error("this is no 64-bit Mach-O file");
  const cpu = { 0x01000007: "x64", 0x0100000c: "arm64" }[file.readUInt32LE(4)];
  const [libraries, exports] = [[], []];
  let minimum;
  for (let at = 32, left = file.readUInt32LE(16); left > 0; at += file.readUInt32LE(at + 4), left--) {
    const word = (index) => file.readUInt32LE(at + index * 4);
    const command = word(0) & 0x7fffffff;
    if (command === 0xc) libraries.push(text(file, at + word(2)));
    if (command === 0x32) minimum = word(3) >> 16;
    if (command === 0x24) minimum = word(2) >> 16;
    if (command === 0x2)
      for (let symbol = word(2); symbol < word(2) + word(3) * 16; symbol += 16)
        // External, and defined in a section.
        if ((file[symbol + 4] & 0x0f) === 0x0f) exports.push(text(file, word(4) + file.readUInt32LE(symbol)).replace(/^_/, ""));
  }
  return { cpu, libraries, exports, minimum };
}

/** Windows. The structures: "PE Format" of Microsoft. */
export function pe(file) {
  const header = file.readUInt32LE(0x3c);
  const cpu = { 0x8664: "x64", 0xaa64: "arm64" }[file.readUInt16LE(header + 4)];
  const optional = header + 24;
  const sections = optional + file.readUInt16LE(header + 20);
  const offset = (address) => {
    for (let at = sections, left = file.readUInt16LE(header + 6); left > 0; at += 40, left--) {
      const start = file.readUInt32LE(at + 12);
      if (address >= start && address < start + file.readUInt32LE(at + 16)) return address - start + file.readUInt32LE(at + 20);
    }
    throw new Error(`no section has the address ${address}`);
  };
  const directory = (index) => file.readUInt32LE(optional + 112 + index * 8);
  const libraries = [];
  for (const [index, size, name] of [[1, 20, 12], [13, 32, 4]]) {
    if (directory(index) === 0) continue;
    for (let at = offset(directory(index)); file.readUInt32LE(at + name) !== 0; at += size) libraries.push(text(file, offset(file.readUInt32LE(at + name))));
  }
  const table = offset(directory(0));
  const names = offset(file.readUInt32LE(table + 32));
  const exports = Array.from({ length: file.readUInt32LE(table + 24) }, (_, index) => text(file, offset(file.readUInt32LE(names + index * 4))));
  return { cpu, libraries, exports };
}
