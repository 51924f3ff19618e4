// Every exhibit in a real browser: it computes, draws and survives what people do to it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { inspect, launch, open, picture, until } from "./browser.mjs";
import { serve } from "./server.mjs";

let server;
before(async () => { server = await serve({ "/": "dist" }); });
after(() => { server.closeAllConnections(); server.close(); });

const bounded = { timeout: 240_000 };
const settled = (it) => it.ready && it.live && !it.computing && it.model.status === "ready";

async function session(t, link) {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const page = await open(browser, `${server.origin}/${link}`);
  await page.waitForFunction(() => performance.getEntriesByName("vitrine-first-frame").length > 0, null, { timeout: 60_000 });
  return page;
}

async function shows(page, name) {
  const { colours } = await inspect(page, await picture(page, name));
  assert.ok(colours > 50, `the screen shows ${colours} colours`);
  assert.deepEqual(page.errors, []);
}

for (const exhibit of ["normgrad", "method-wall", "next-character"]) {
  test(`${exhibit} computes in the page`, bounded, async (t) => {
    const page = await session(t, `#v1;tiles=(exhibit:${exhibit})`);
    const state = await until(page, settled, "the default computed", 120);
    assert.equal(state.error, null);
    console.log(`${state.model.id}: ${state.seconds.toFixed(2)} s on ${state.badge}`);
    await shows(page, exhibit);
  });
}

test("learning goes on by itself and can be stopped", bounded, async (t) => {
  const page = await session(t, "#v1;tiles=(exhibit:learning)");
  await until(page, (it) => it.live && it.runs > 5 && it.error === null, "some steps", 120);
  await shows(page, "learning");
});

test("a dropped photograph is looked at by a model that knows photographs", bounded, async (t) => {
  const page = await session(t, "#v1;tiles=(exhibit:normgrad)");
  await until(page, settled, "the default computed", 120);
  const bytes = readFileSync(new URL("../golden/efficientnet.png", import.meta.url)).toString("base64");
  const files = await page.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], "coffee.png", { type: "image/png" }));
    return transfer;
  }, bytes);
  for (const event of ["dragover", "drop"]) await page.dispatchEvent("canvas", event, { dataTransfer: files });
  const seen = (it) => settled(it) && it.link.includes("photo-coffee.png") && it.model.id === "efficientnet-lite0";
  const state = await until(page, seen, "the photograph seen", 180);
  console.log(`${state.model.id}, maps of all layers: ${state.seconds.toFixed(2)} s on ${state.badge}`);
  const logits = await page.evaluate(async () => Array.from((await window.vitrine.read("logits")).data));
  // Class 967 is espresso; PyTorch gives 11.07 with the published weights, these are halves.
  assert.equal(logits.indexOf(Math.max(...logits)), 967);
  assert.ok(Math.abs(logits[967] - 11.07) < 0.05, `the logit is ${logits[967]}`);
  await shows(page, "photograph");
});
