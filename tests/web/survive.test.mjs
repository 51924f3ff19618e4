// What draws dies: the page opens again by itself with what was on the screen, once, and says so when that was in vain.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { edit, inspect, launch, open, picture, until } from "./browser.mjs";
import { serve } from "./server.mjs";

let server;
before(async () => { server = await serve({ "/": "dist" }); });
after(() => { server.closeAllConnections(); server.close(); });

const bounded = { timeout: 240_000 };
const TEXT = "the cat sat on the mat because it was warm";
const LINK = "#v1;focus=(head:3,layer:2,query:3);theme=light";
const settled = (it) => it.ready && it.live && !it.computing && it.model.status === "ready";
const shown = (it) => settled(it) && it.text === TEXT;

/// A page at LINK. `page.loads` counts how often it opened again.
async function session(t, ability, query = "") {
  const browser = await launch(ability);
  t.after(() => browser.close());
  const page = await open(browser, `${server.origin}/${query}${LINK}`);
  page.loads = 0;
  page.on("load", () => { page.loads += 1; });
  await until(page, settled, "weights loaded and the default sentence computed", 120);
  return page;
}

async function type(page) {
  await edit(page);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(TEXT, { delay: 20 });
}

/// Ends the process of the browser that draws for all its pages, as a driver's reset does.
async function kill(page) {
  const devtools = await page.context().browser().newBrowserCDPSession();
  await devtools.send("Browser.crashGpuProcess");
  await devtools.detach();
}

/// Takes only the page's context, which the browser minds less than a process that dies twice.
const lose = (page) => page.evaluate(() =>
  document.getElementById("vitrine").getContext("webgl2").getExtension("WEBGL_lose_context").loseContext());

/// Does `fault`, and waits until the page has opened again and drawn.
async function reopened(page, fault) {
  const loaded = page.waitForEvent("load", { timeout: 30_000 });
  await fault(page);
  await loaded;
  const drawn = () => performance.getEntriesByName("vitrine-first-frame").length > 0;
  await page.waitForFunction(drawn, null, { timeout: 60_000 });
}

for (const [ability, compute] of [["webgl2", "cpu"], ["webgpu", "cpu"], ["webgpu", "gpu"]]) {
  test(`${ability} draws again after the GPU was lost, the ${compute} computes`, bounded, async (t) => {
    const page = await session(t, ability, `?compute=${compute}`);
    await type(page);
    const before = await until(page, shown, "the typed sentence computed", 120);
    assert.deepEqual([before.renderer, before.compute], [ability, compute]);
    assert.match(before.link, /focus=\(head:3,layer:2,query:3\)/);
    await page.waitForTimeout(1500); // animations
    const seen = await picture(page, `survive-${ability}-${compute}`);
    assert.ok((await inspect(page, seen)).colours > 50);

    await reopened(page, kill);
    const again = await until(page, shown, "the same sentence computed again", 120);
    assert.deepEqual([again.renderer, again.compute, again.link], [ability, compute, before.link]);
    await page.waitForTimeout(1500);
    const { colours, difference } = await inspect(page, await picture(page, `survive-${ability}-${compute}-again`), seen);
    console.log(`${colours} colours, ${(100 * difference).toFixed(2)} % of the pixels differ`);
    assert.ok(colours > 50, `the screen shows ${colours} colours`);
    assert.ok(difference < 0.02, `${difference} of the screen differs`);
    assert.equal(page.loads, 1);
    assert.ok(await page.locator("#crash").isHidden());
  });
}

test("what was typed a moment before comes along", bounded, async (t) => {
  const page = await session(t, "webgl2");
  await type(page);
  await page.waitForFunction((text) => JSON.parse(window.vitrine.state()).text === text, TEXT, { polling: 20 });
  await reopened(page, async () => {
    assert.ok(!page.url().includes("warm"), "the address has it already");
    await lose(page);
  });
  const { text } = await until(page, shown, "the sentence computed", 120);
  assert.equal(text, TEXT);
});

test("a GPU that is lost again at once is a card, later on it is not", bounded, async (t) => {
  const page = await session(t, "webgl2");
  await reopened(page, lose);
  await page.waitForFunction(() => sessionStorage.length === 0, null, { timeout: 30_000 });
  await reopened(page, kill);
  await lose(page);
  await page.getByText("lost again").waitFor();
  await page.waitForTimeout(1000);
  assert.equal(page.loads, 2);
  assert.equal(new URL(page.url()).hash, LINK);
});

test("WebGPU that is lost again at once is a card", bounded, async (t) => {
  const page = await session(t, "webgpu", "?compute=gpu");
  await reopened(page, kill);
  await kill(page);
  await page.getByText("lost again").waitFor();
  assert.equal(page.loads, 1);
});
