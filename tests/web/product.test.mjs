// Products with fused multiply-add: a module of its own on the program's memory, where the browser has relaxed SIMD.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { launch, open, until } from "./browser.mjs";
import { serve } from "./server.mjs";

let server;
before(async () => { server = await serve({ "/": "dist" }); });
after(() => { server.closeAllConnections(); server.close(); });

const bounded = { timeout: 240_000 };
const settled = (it) => it.ready && it.live && !it.computing && it.model.status === "ready";

async function session(t, prepare = () => {}) {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await prepare(context);
  const page = await open(context, `${server.origin}/?compute=cpu`);
  await until(page, settled, "the default sentence computed", 120);
  return page;
}

const benchmark = async (page) => JSON.parse(await page.evaluate(() => window.vitrine.bench(9)));

test("the module has no data of its own in the program's memory", () => {
  const bytes = readFileSync("dist/product.wasm");
  const sections = [];
  for (let at = 8; at < bytes.length;) {
    sections.push(bytes[at++]);
    let size = 0, shift = 0, byte;
    do {
      byte = bytes[at++];
      size |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    at += size;
  }
  assert.ok(sections.includes(10), "there is code");
  assert.ok(!sections.includes(11), "there is no data");
});

test("the module multiplies, over odd shapes, and writes nothing else", bounded, async (t) => {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const page = await open(browser, `${server.origin}/manifest.webmanifest`);
  const worst = await page.evaluate(async () => {
    const memory = new WebAssembly.Memory({ initial: 4 });
    const bytes = await (await fetch("product.wasm")).arrayBuffer();
    const { instance } = await WebAssembly.instantiate(bytes, { env: { memory } });
    const all = new Float32Array(memory.buffer);
    let worst = 0;
    const check = (m, k, n, biased, gap) => {
      const [below, line] = [k + gap, n + gap];
      const a = 16; // An address of 0 is no bias.
      const b = a + m * below;
      const bias = b + k * n + 8 * k;
      const out = bias + n;
      for (let i = 0; i < all.length; i++) all[i] = ((i * 7919 + 13) % 101) / 50 - 1;
      const before = all.slice();
      instance.exports.multiply(4 * out, line, 4 * a, below, 4 * b, biased ? 4 * bias : 0, m, k, n, 0.5);
      const whole = n - n % 8;
      for (let i = 0; i < all.length; i++) {
        const [row, column] = [Math.floor((i - out) / line), (i - out) % line];
        let expected = before[i];
        if (i >= out && row < m && column < whole) {
          expected = 0;
          const panel = b + (column - column % 8) * k + column % 8;
          for (let p = 0; p < k; p++) expected += before[a + row * below + p] * before[panel + 8 * p];
          expected = 0.5 * expected + (biased ? before[bias + column] : 0);
        }
        worst = Math.max(worst, Math.abs(all[i] - expected));
      }
    };
    for (const m of [0, 1, 2, 3, 4, 5, 13]) for (const k of [0, 1, 7, 64]) for (const n of [1, 8, 19, 64])
      for (const biased of [false, true]) for (const gap of [0, 3]) check(m, k, n, biased, gap);
    return worst;
  });
  // f32 sums of at most 64 products below 1.
  assert.ok(worst < 1e-5, `off by ${worst}`);
});

test("with relaxed SIMD and without, the page computes the same", bounded, async (t) => {
  const fused = await benchmark(await session(t));
  assert.equal(fused.device, "CPU: wasm relaxed SIMD");
  // A module with an instruction that nobody knows: what a browser without relaxed SIMD makes of the real one.
  const unknown = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 5, 1, 3, 0, 255, 11]);
  const page = await session(t, (context) => context.route("**/product.wasm*", (route) =>
    route.fulfill({ status: 200, contentType: "application/wasm", body: unknown })));
  const plain = await benchmark(page);
  assert.equal(plain.device, "CPU: wasm SIMD");
  assert.deepEqual(page.errors, []);
  // Sums of 9 x 384 numbers that differ in their last bits.
  const difference = Math.abs(fused.checksum / plain.checksum - 1);
  assert.ok(difference < 1e-6, `off by ${difference}`);
  assert.notEqual(fused.checksum, plain.checksum, "they were not computed alike");
});
