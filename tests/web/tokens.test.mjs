// What makes tokens of text is a module of its own: it comes with the first model that needs it, says what a desktop's says, and
// its faults are the model's.

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
const golden = (name) => readFileSync(new URL(`../golden/${name}`, import.meta.url));

/// A page at `link`, which `prepare` may spoil before it opens.
async function session(t, link, prepare = () => {}) {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await prepare(context);
  const page = await open(context, `${server.origin}/${link}`);
  await page.waitForFunction(() => performance.getEntriesByName("vitrine-first-frame").length > 0, null, { timeout: 60_000 });
  return page;
}

/// When the page asked for the two files of the module, and when it had drawn.
const asked = (page) => page.evaluate(() => ({
  drawn: performance.getEntriesByName("vitrine-first-frame")[0].startTime,
  module: performance.getEntriesByType("resource").filter((it) => /\/tokens(_bg)?\./.test(it.name)).map((it) => it.startTime),
}));

test("the first picture does not wait for the module", bounded, async (t) => {
  const page = await session(t, "");
  await until(page, settled, "the default sentence computed", 120);
  const { drawn, module } = await asked(page);
  assert.equal(module.length, 2, "program and glue came, once");
  assert.ok(Math.min(...module) > drawn, `the module was asked for at ${module}, the first picture is of ${drawn}`);
  assert.deepEqual(page.errors, []);
});

test("who reads no text does not load the module", bounded, async (t) => {
  const page = await session(t, "#v1;tiles=(exhibit:normgrad)");
  await until(page, settled, "the maps computed", 120);
  assert.deepEqual((await asked(page)).module, []);
});

test("tokens, places and texts are those of Hugging Face", bounded, async (t) => {
  const page = await session(t, "#v1;tiles=(exhibit:normgrad)");
  const encode = (tokenizer, texts) => page.evaluate(async ([tokenizer, texts]) => {
    await window.loadTokens();
    const id = window.tokens.parse(new Uint8Array(await (await fetch(tokenizer)).arrayBuffer()), 512);
    const found = texts.map((text) => JSON.parse(window.tokens.encode(id, text)));
    const texts_ = found.map((it) => window.tokens.decode(id, Uint32Array.from(it.ids)));
    const rows = window.tokens.vocabulary(id);
    window.tokens.forget(id);
    return { found, texts: texts_, rows };
  }, [tokenizer, texts]);

  const words = JSON.parse(golden("tokens.json"));
  const bert = await encode("models/minilm-8bit/tokenizer.json", words.map((it) => it.text));
  assert.equal(bert.rows, 30522);
  for (const [i, { name, ids, tokens, offsets }] of words.entries()) {
    const { ids: ids_, tokens: tokens_, offsets: offsets_ } = bert.found[i];
    assert.deepEqual({ ids: ids_, tokens: tokens_, offsets: offsets_ }, { ids, tokens, offsets }, name);
  }

  const file = `data:application/json;base64,${golden("gpt2/tokenizer.json").toString("base64")}`;
  const bytes = JSON.parse(golden("gpt2/tokens.json"));
  const gpt = await encode(file, bytes.map((it) => it.text));
  for (const [i, { name, text, ids, pieces }] of bytes.entries()) {
    assert.deepEqual({ ids: gpt.found[i].ids, pieces: gpt.found[i].tokens }, { ids, pieces }, name);
    if (name !== "special") assert.equal(gpt.texts[i], text, "there and back");
  }
});

/// The sentence's exhibit on a page where something is wrong with it; what its model failed of, in words.
async function failed(t, prepare) {
  const page = await session(t, "#v1;tiles=(exhibit:attention)", prepare);
  const { error, live } = await until(page, (it) => it.model.status === "failed", "the failure to be noticed", 60);
  assert.equal(live, false, "the recorded picture stays");
  assert.ok(await page.locator("#crash").isHidden(), "the page goes on");
  return { page, error };
}

for (const file of ["tokens.js", "tokens_bg.wasm"]) {
  test(`without ${file} the model fails in words, and R tries again`, bounded, async (t) => {
    let missing = true;
    const { page, error } = await failed(t, (context) => context.route(`**/${file}*`, (route) =>
      missing ? route.fulfill({ status: 404, body: "not found" }) : route.continue()));
    assert.match(error, /what makes tokens of text could not be loaded: ./);
    missing = false;
    await page.keyboard.press("r");
    await until(page, settled, "the retry to succeed", 120);
  });
}

test("a damaged tokenizer is an error in words", bounded, async (t) => {
  const damaged = (body) => failed(t, (context) => context.route("**/tokenizer.json", (route) =>
    route.fulfill({ status: 200, contentType: "application/json", body })));
  assert.match((await damaged('{"decoder": nul')).error, /^tokenizer\.json: this is not a tokenizer: ./);
  const deep = `{"model": {}, "decoder": ${"[".repeat(200)}${"]".repeat(200)}}`;
  assert.match((await damaged(deep)).error, /^tokenizer\.json: this is not a tokenizer: recursion limit/);
});

test("a module that stops takes the model along, not the page", bounded, async (t) => {
  // A function whose only instruction is `unreachable`, as `parse`.
  const module = `
    const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 115, 116, 111, 112, 0, 0, 10, 5, 1, 3, 0, 0, 11];
    export const parse = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports.stop;
    export default async function () {}`;
  const { page, error } = await failed(t, (context) => context.route("**/tokens.js*", (route) =>
    route.fulfill({ status: 200, contentType: "text/javascript", body: module })));
  assert.match(error, /^tokenizer\.json: unreachable/);
  await page.keyboard.press("g");
  await until(page, (it) => !it.computing, "the page to answer");
});
