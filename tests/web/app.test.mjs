// The program in a real browser: it loads the real weights, computes what ONNX Runtime computes, and survives faults.
// Numbers come through the hook `window.vitrine`, pictures from the screen.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { edit, inspect, launch, open, picture, until } from "./browser.mjs";
import * as golden from "./golden.mjs";
import { serve } from "./server.mjs";

let server;
before(async () => { server = await serve({ "/": "dist" }); });
after(() => { server.closeAllConnections(); server.close(); });

const bounded = { timeout: 240_000 };
// f32 sums in another order, through six layers; ONNX Runtime and PyTorch differ by 2e-6.
const TOLERANCE = 2e-4;

// ONNX Runtime's numbers are those of the full weights.
const FULL = "#v1;model=minilm-f32";

async function session(t, ability, address = `/${FULL}`) {
  const browser = await launch(ability);
  t.after(() => browser.close());
  const page = await open(browser, server.origin + address);
  await page.waitForFunction(() => performance.getEntriesByName("vitrine-first-frame").length > 0, null, { timeout: 60_000 });
  return page;
}

const settled = (it) => it.ready && it.live && !it.computing && it.model.status === "ready";

async function type(page, text) {
  await edit(page);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(text, { delay: 20 });
  return until(page, (it) => settled(it) && it.text === text, `the trace of “${text}”`, 120);
}

async function agrees(page, label) {
  for (const name of golden.patterns) {
    const expected = golden.tensor(`${label}/${name}`);
    const found = await page.evaluate(async (name) => {
      const { shape, data } = await window.vitrine.read(name);
      return { shape: Array.from(shape), data: Array.from(data) };
    }, name);
    assert.deepEqual(found.shape, expected.shape, name);
    const worst = found.data.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0);
    assert.ok(worst <= TOLERANCE, `${name} is off by ${worst}`);
  }
}

async function computes(page, { compute, renderer }) {
  const first = await until(page, settled, "weights loaded and the default sentence computed", 120);
  assert.equal(first.compute, compute);
  assert.equal(first.renderer, renderer);
  assert.equal(first.text, golden.text.long);
  await agrees(page, "long");
  const typed = await type(page, golden.text.short);
  assert.equal(typed.tokens.length, golden.tensor("short/tokens").data.length);
  await agrees(page, "short");
  const { colours } = await inspect(page, await picture(page, `${renderer}-${compute}`));
  assert.ok(colours > 50, `the screen shows ${colours} colours`);
  assert.deepEqual(page.errors, []);
}

test("WebGPU: a typed sentence gives ONNX Runtime's attention", bounded, async (t) => {
  await computes(await session(t, "webgpu", `/?compute=gpu${FULL}`), { compute: "gpu", renderer: "webgpu" });
});

test("WebGPU off: the CPU computes, WebGL2 draws", bounded, async (t) => {
  const page = await session(t, "webgl2");
  await computes(page, { compute: "cpu", renderer: "webgl2" });
  const drawn = await page.evaluate(() => document.getElementById("vitrine").getContext("webgl2").getContextAttributes());
  assert.deepEqual([drawn.antialias, drawn.depth], [false, false], "every pixel is drawn once");
});

test("?compute=cpu: the CPU computes, WebGPU draws", bounded, async (t) => {
  await computes(await session(t, "webgpu", `/?compute=cpu${FULL}`), { compute: "cpu", renderer: "webgpu" });
});

test("whoever opens the page waits for 23 MB, not for 91", bounded, async (t) => {
  const page = await session(t, "webgl2", "/#v1");
  const first = await until(page, settled, "the default sentence computed", 120);
  assert.equal(first.model.id, "minilm");
  const bytes = await page.evaluate(() => performance.getEntriesByType("resource")
    .filter((it) => it.name.includes("/models/")).map((it) => [it.name.split("/models/")[1], it.decodedBodySize]));
  const weights = bytes.filter(([name]) => name.endsWith("model.safetensors"));
  assert.deepEqual(weights.map(([name]) => name), ["minilm-8bit/model.safetensors"]);
  assert.ok(weights[0][1] < 23_500_000, `${weights[0][1]} bytes`);
});

test("typing compiles nothing", bounded, async (t) => {
  const page = await session(t, "webgl2");
  await until(page, settled, "the default sentence computed", 120);
  const before = await type(page, "a cat sat");
  await page.keyboard.press("Backspace");
  await page.keyboard.press("d");
  const after = await until(page, (it) => settled(it) && it.text === "a cat sad", "the changed sentence", 60);
  assert.equal(after.compiles, before.compiles);
  assert.ok(after.runs > before.runs);
});

for (const fault of ["missing", "truncated"]) {
  test(`${fault} weights: a card says so, and R tries again`, bounded, async (t) => {
    server.fault = fault;
    t.after(() => { server.fault = null; });
    const page = await session(t, "webgl2");
    const failed = await until(page, (it) => it.model.status === "failed", "the failure to be noticed", 60);
    assert.ok(failed.error?.length > 10, "the error is in words");
    assert.equal(failed.live, false, "the recorded trace stays");
    await page.waitForTimeout(1000);
    const card = await picture(page, `${fault}-weights`);
    server.fault = null;
    await page.keyboard.press("r");
    const healed = await until(page, settled, "the retry to succeed", 120);
    assert.equal(healed.error, null);
    await page.waitForTimeout(1000);
    const seen = await inspect(page, card, await picture(page, `${fault}-weights-healed`));
    assert.ok(seen.colours > 50, "the recorded picture stayed");
    assert.ok(seen.difference > 0.005, "the card was visible and is gone");
    await agrees(page, "long");
  });
}

test("weights stay: what broke off goes on, and who comes again fetches none", bounded, async (t) => {
  const weights = "models/minilm/model.safetensors";
  server.fault = "truncated";
  t.after(() => { server.fault = null; });
  const page = await session(t, "webgl2");
  await until(page, (it) => it.model.status === "failed", "the failure to be noticed", 60);
  const asked = [];
  page.on("request", (it) => { if (it.url().endsWith(weights)) asked.push(it.headers().range ?? "all of it"); });
  const half = await page.evaluate((it) => window.keptBytes(it), weights);
  server.fault = null;
  await page.keyboard.press("r");
  await until(page, settled, "the rest to come", 120);
  assert.ok(half > 45_000_000, `${half} bytes stayed`);
  assert.deepEqual(asked, [`bytes=${half}-`], "only the rest was asked for");
  await page.reload();
  await until(page, settled, "the same once more", 120);
  assert.equal(asked.length, 1, "nothing was asked for");
  await agrees(page, "long");
  // What a disk spoils is noticed, and fetched anew.
  await page.evaluate(async () => {
    const store = await caches.open("vitrine-weights");
    const [first] = await store.keys();
    const bytes = new Uint8Array(await (await store.match(first)).arrayBuffer());
    bytes[1000] ^= 1;
    await store.put(first, new Response(bytes));
  });
  await page.reload();
  await until(page, settled, "sound weights", 120);
  assert.deepEqual(asked.slice(1), ["all of it"]);
  await agrees(page, "long");
  await page.evaluate((it) => window.forgetWeights(it), weights);
  assert.equal(await page.evaluate(async () => (await (await caches.open("vitrine-weights")).keys()).length), 0);
});

test("a permalink restores what it was made from", bounded, async (t) => {
  const page = await session(t, "webgl2");
  await until(page, settled, "the default sentence computed", 120);
  const { link } = await type(page, golden.text.short);
  assert.match(link, /#v1;/);
  const again = await open(page.context().browser(), new URL(link, page.url()).href);
  const restored = await until(again, settled, "the linked sentence computed", 120);
  assert.equal(restored.text, golden.text.short);
  assert.equal(restored.link, link);
});

test("a damaged permalink opens the default", bounded, async (t) => {
  const page = await session(t, "webgl2", "/#v1;damaged!%%%");
  const opened = await until(page, settled, "the default sentence computed", 120);
  assert.equal(opened.text, golden.text.long);
  assert.equal(opened.error, null);
});

test("the first page is a wall of five, and its sentence is one's own", bounded, async (t) => {
  const page = await session(t, "webgl2", "/");
  const whole = (it) => it.tiles.length === 5 && it.tiles.every(({ picture, tile }) => picture && picture.max.y <= tile.max.y);
  await until(page, (it) => whole(it) && settled(it), "five pictures, and what is computed", 120);
  const { colours } = await inspect(page, await picture(page, "first-page"));
  assert.ok(colours > 300, `the wall shows ${colours} colours`);
  await type(page, "a cat sat");
  assert.deepEqual(page.errors, []);
});
