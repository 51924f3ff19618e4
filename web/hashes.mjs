// Notes hash and size of every large file below FOLDER in FOLDER/hashes.json: web/weights.js keeps these in the browser.
//
//     node web/hashes.mjs FOLDER

import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";

const LARGE = 1 << 20;
const folder = process.argv[2];
const files = readdirSync(folder, { recursive: true }).filter((it) => it.endsWith(".safetensors")).sort();
const large = files.map((it) => [it.replaceAll("\\", "/"), `${folder}/${it}`]).filter(([, path]) => statSync(path).size > LARGE);
const note = ([name, path]) => {
  const bytes = readFileSync(path);
  return [`models/${name}`, { hash: createHash("sha256").update(bytes).digest("hex"), size: bytes.length }];
};
writeFileSync(`${folder}/hashes.json`, JSON.stringify(Object.fromEntries(large.map(note)), null, 1));
