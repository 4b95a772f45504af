// Proves that the modules of each crate import one way: no cycle among the modules below `src`, nor among the siblings of a
// folder. A child that uses its parent, or a parent its children, is no cycle. `--self-test` plants one and fails unless it is found.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fail, root } from "./setup.mjs";

/** The Rust files of a crate, each with its module's path. */
function modules(src) {
  return readdirSync(src, { recursive: true })
    .filter((file) => file.endsWith(".rs"))
    .map((file) => {
      const path = file.replace(/\.rs$/, "").split(/[/\\]/);
      if (["mod", "lib", "main"].includes(path.at(-1))) path.pop();
      return { file: join(src, file), path, text: readFileSync(join(src, file), "utf8") };
    });
}

/** Code alone, line by line: no comment, no text, and no tests at a file's end. */
const code = (text) => text.replace(/^#\[cfg\(test\)\]\nmod \w+ \{[^]*/m, "").replace(/"(?:[^"\\]|\\.)*"/gs, '""').replace(/\/\/.*$/gm, "");

/** The paths in a tree of names, `a::{b, c::d}`: [["a", "b"], ["a", "c", "d"]]. */
function paths(tree) {
  const [, head, rest] = /^\s*(\w+|\*)?\s*(?:::)?([^]*)$/.exec(tree);
  if (!rest.startsWith("{")) return head ? (tree.includes("::") && rest ? paths(rest).map((path) => [head, ...path]) : [[head]]) : [];
  const parts = [""];
  let depth = 0;
  for (const sign of rest.slice(1)) {
    if (sign === "}" && depth === 0) break;
    depth += sign === "{" ? 1 : sign === "}" ? -1 : 0;
    if (sign === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += sign;
  }
  const below = parts.flatMap((part) => paths(part.trim()));
  return head ? below.map((path) => [head, ...path]) : below;
}

/** What a module exports of its children, `pub use child::{Name}`: module -> name -> the child's path. */
function exported(all) {
  const known = new Set(all.map(({ path }) => path.join("::")));
  return new Map(
    all.map(({ path, text }) => {
      const names = new Map();
      for (const [, tree] of code(text).matchAll(/\bpub(?:\([^)]*\))? use ((?:\w+::)*(?:\w+|\{(?:[^{}]|\{[^{}]*\})*\}))/g)) {
        for (const way of paths(tree)) {
          if (known.has([...path, way[0]].join("::"))) names.set(way.at(-1), [...path, ...way.slice(0, -1)]);
        }
      }
      return [path.join("::"), names];
    }),
  );
}

/** Who imports whom, at each level: folder -> module -> module -> where. */
function graph(all) {
  const known = new Set(all.map(({ path }) => path.join("::")));
  const exports = exported(all);
  const levels = new Map();
  for (const { file, path, text } of all) {
    for (const found of code(text).matchAll(/\b(crate|(?:super::)*super)::(\w+(?:::\w+)*(?:::\{(?:[^{}]|\{[^{}]*\})*\})?|\{(?:[^{}]|\{[^{}]*\})*\})/g)) {
      const up = found[1] === "crate" ? path.length : found[1].split("::").length;
      const base = path.slice(0, Math.max(0, path.length - up));
      for (const names of paths(found[2])) {
        let to = [...base, ...names];
        const beyond = [];
        while (to.length > 0 && !known.has(to.join("::"))) beyond.unshift(to.pop());
        for (let child; (child = exports.get(to.join("::"))?.get(beyond[0])); ) to = child;
        const same = path.findIndex((name, at) => name !== to[at]);
        if (same < 0 || same >= to.length) continue;
        const level = path.slice(0, same).join("::");
        const line = text.slice(0, text.indexOf(found[0])).split("\n").length;
        const from = levels.get(level) ?? levels.set(level, new Map()).get(level);
        const imports = from.get(path[same]) ?? from.set(path[same], new Map()).get(path[same]);
        imports.set(to[same], `${file}:${line}`);
      }
    }
  }
  return levels;
}

/** Every pair of modules that reach each other, as one line a cycle: the shortest way there and back. */
export function cycles(all) {
  const found = [];
  for (const [level, imports] of graph(all)) {
    const seen = new Set();
    for (const start of imports.keys()) {
      const before = new Map([[start, null]]);
      const queue = [start];
      for (const at of queue) {
        for (const to of imports.get(at)?.keys() ?? []) {
          if (to === start) {
            const way = [];
            for (let step = at; step !== null; step = before.get(step)) way.unshift(step);
            const name = [...way].sort().join();
            if (!seen.has(name)) found.push([...way.map((from, index) => `${from} -> ${way[index + 1] ?? start} (${imports.get(from).get(way[index + 1] ?? start)})`)].join(", ") + (level && ` in ${level}`));
            seen.add(name);
            queue.length = 0;
            break;
          }
          if (!before.has(to)) queue.push((before.set(to, at), to));
        }
      }
    }
  }
  return found;
}

if (process.argv.includes("--self-test")) {
  const planted = [
    { file: "lib.rs", path: [], text: "mod a;\nmod b;\nmod c;\n" },
    { file: "a.rs", path: ["a"], text: 'use crate::{b::Thing, c};\n// crate::a\nconst TEXT: &str = "crate::c";\n' },
    { file: "b.rs", path: ["b"], text: "use super::c::Other;\n" },
    { file: "c.rs", path: ["c"], text: "fn c() { crate::a::planted() }\n" },
  ];
  if (cycles(planted).length === 0) fail("a planted cycle is not found");
  const exporting = [
    { file: "lib.rs", path: [], text: "mod a;\nmod b;\npub use b::Thing;\n" },
    { file: "a.rs", path: ["a"], text: "use crate::Thing;\n" },
    { file: "b.rs", path: ["b"], text: "use super::a;\n" },
  ];
  if (cycles(exporting).length === 0) fail("a planted cycle through the crate's root is not found");
  if (cycles(planted.slice(0, 3)).length > 0) fail("a cycle is found where there is none");
}
const members = /members = \[(.*?)\]/s.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1].match(/[\w/-]+/g);
let wrong = 0;
for (const member of members.filter((member) => existsSync(join(root, member, "src")))) {
  const all = modules(join(root, member, "src")).map((module) => ({ ...module, file: relative(root, module.file) }));
  const found = cycles(all);
  for (const cycle of found) console.log(`${member}: ${cycle}`);
  wrong += found.length;
}
if (wrong > 0) fail(`${wrong} cycles of modules`);
console.log(`no cycle of modules in ${members.length} crates`);
