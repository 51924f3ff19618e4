// What the page's bytes are: the files as they travel (brotli, the best it can), the sections of the program, and its code by
// crate. Prints the tables of RESULTS.md; needs `./run build`, which leaves the program with its names in target/.
//
//     node bench/web/bytes.mjs [WORD]    with a word, also the largest functions whose names have it

import { readFileSync, readdirSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";

const NAMED = "target/wasm32-unknown-unknown/page/vitrine.wasm";
const CRATES = 25;
const SECTIONS = { 1: "types", 2: "imports", 3: "functions", 4: "tables", 5: "memory", 6: "globals", 7: "exports", 9: "elements",
  10: "code", 11: "data", 12: "data count", 13: "tags" };

/// Bytes as they travel: node packs as well as brotli can.
const packed = (bytes) => brotliCompressSync(bytes).length;

/// Reads a wasm from its beginning to its end.
class Reader {
  constructor(bytes, at = 0) {
    [this.bytes, this.at] = [bytes, at];
  }
  byte() {
    return this.bytes[this.at++];
  }
  number() { // LEB128
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = this.byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }
  take() {
    const length = this.number();
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  list(item) {
    return Array.from({ length: this.number() }, () => item(this));
  }
}

/// The sections of a wasm: `{ name, bytes }`; those that a tool added have the name that it gave them.
function sections(wasm) {
  const reader = new Reader(wasm, 8);
  const found = [];
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const bytes = reader.take();
    const own = new Reader(bytes);
    found.push(id === 0
      ? { name: `"${own.take()}"`, bytes: bytes.subarray(own.at) }
      : { name: SECTIONS[id] ?? `${id}`, bytes });
  }
  return found;
}

/// How many functions come from outside: these have the first numbers.
function imported(bytes) {
  const limits = (it) => {
    const flags = it.byte();
    it.number();
    if (flags & 1) it.number();
  };
  const kinds = [(it) => it.number(), (it) => (it.byte(), limits(it)), limits, (it) => { it.at += 2; }];
  return new Reader(bytes).list((it) => {
    it.take();
    it.take();
    const kind = it.byte();
    kinds[kind](it);
    return kind;
  }).filter((kind) => kind === 0).length;
}

/// The names of functions by their numbers.
function names(bytes) {
  for (const reader = new Reader(bytes); reader.at < bytes.length;) {
    const kind = reader.byte();
    const part = reader.take();
    if (kind === 1) return new Map(new Reader(part).list((it) => [it.number(), it.take().toString()]));
  }
}

/// Name and size of every function.
function functions(wasm) {
  const part = Object.fromEntries(sections(wasm).map(({ name, bytes }) => [name, bytes]));
  const [first, known] = [imported(part.imports), names(part['"name"'])];
  return new Reader(part.code).list((it) => it.take().length).map((size, i) => ({ name: known.get(first + i) ?? "?", size }));
}

/// The crate that a mangled name begins with; where it is a trait's function that of the type, or of the trait if it is for any.
function crate(name) {
  const legacy = name.match(/^_ZN(\d+)/);
  if (legacy) {
    const path = name.slice(legacy[0].length, legacy[0].length + Number(legacy[1]));
    const type = path.replace(/^_?(\$[A-Za-z0-9]+\$|[.& *]|mut |dyn |const )+/, "").split(/\.\.|\$|::/)[0];
    return type.length > 1 ? type : path.match(/\$as\$u20\$(\w+?)\.\./)?.[1] ?? "core";
  }
  const [, length, rest] = name.match(/^_R.*?C(?:s[0-9A-Za-z]*_)(\d+)_?(.*)/) ?? [];
  return rest ? rest.slice(0, Number(length)) : name.split("::")[0];
}

function table(head, rows) {
  console.log(`| ${head.join(" | ")} |\n|${"---|".repeat(head.length)}`);
  for (const row of rows) console.log(`| ${row.map((it) => it.toLocaleString("en")).join(" | ")} |`);
  console.log();
}

const files = readdirSync("dist").filter((name) => /\.(js|wasm|html)$/.test(name))
  .map((name) => ({ name: name.replace(/-[0-9a-f]{8,16}/, ""), bytes: readFileSync(`dist/${name}`) }))
  .map((it) => ({ ...it, first: !it.name.startsWith("tokens"), brotli: packed(it.bytes) }));
const sum = (list) => list.reduce((a, b) => a + b, 0);
table(["file", "bytes", "brotli"], [
  ...files.filter((it) => it.first).map((it) => [it.name, it.bytes.length, it.brotli]),
  ["before the first picture", ...["bytes", "brotli"].map((of) =>
    sum(files.filter((it) => it.first).map((it) => (of === "bytes" ? it.bytes.length : it.brotli))))],
  ...files.filter((it) => !it.first).map((it) => [`${it.name}, with the first model of text`, it.bytes.length, it.brotli]),
]);

const program = files.find((it) => it.name === "vitrine_bg.wasm");
table(["section of the program", "bytes", "brotli"], sections(program.bytes)
  .filter((it) => it.bytes.length > 1000).map(({ name, bytes }) => [name, bytes.length, packed(bytes)]));

const all = functions(readFileSync(NAMED));
const crates = new Map();
for (const { name, size } of all) crates.set(crate(name), (crates.get(crate(name)) ?? 0) + size);
table(["crate, before wasm-opt", "bytes of code"], [...crates].sort((a, b) => b[1] - a[1]).slice(0, CRATES));

const word = process.argv[2];
if (word) {
  const largest = all.filter((it) => it.name.includes(word)).sort((a, b) => b.size - a.size).slice(0, 40);
  table(["function", "bytes"], largest.map((it) => [it.name.slice(0, 140), it.size]));
}
