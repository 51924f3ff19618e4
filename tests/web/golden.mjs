// The numbers of tests/golden/minilm.safetensors: `golden.text.short`, `golden.tensor("short/final")`.

import { readFileSync } from "node:fs";

const bytes = readFileSync(new URL("../golden/minilm.safetensors", import.meta.url));
const headerLength = Number(bytes.readBigUInt64LE(0));
const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerLength));
const data = bytes.subarray(8 + headerLength);

export const text = header.__metadata__;

export function tensor(name) {
  const { shape, dtype, data_offsets: [start, end] } = header[name];
  const copy = data.buffer.slice(data.byteOffset + start, data.byteOffset + end);
  return { shape, data: dtype === "I64" ? Array.from(new BigInt64Array(copy), Number) : Array.from(new Float32Array(copy)) };
}

export const patterns = Array.from({ length: 6 }, (_, layer) => `blocks.${layer}.attn.pattern`);
