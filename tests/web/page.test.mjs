// The page around the program: what stands there before, instead of and after it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, open, picture } from "./browser.mjs";
import { serve } from "./server.mjs";

let server;
before(async () => { server = await serve({ "/": "dist" }); });
after(() => { server.closeAllConnections(); server.close(); });

const bounded = { timeout: 60_000 };

test("without WebGPU and WebGL2 the page says so beside its picture", bounded, async (t) => {
  const browser = await launch("nothing");
  t.after(() => browser.close());
  const page = await open(browser, `${server.origin}/`);
  await page.getByText("neither WebGPU nor WebGL2").waitFor();
  assert.ok(await page.locator("svg.poster").isVisible(), "the static picture stays");
  assert.deepEqual(page.errors, []);
  await picture(page, "nothing");
});

test("without JavaScript the page says what it is and what it needs", bounded, async (t) => {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(`${server.origin}/`);
  assert.ok((await page.locator("noscript").boundingBox()).height > 10);
  assert.ok(await page.locator("svg.poster").isVisible());
});

test("a program that cannot be loaded is a card with two ways out", bounded, async (t) => {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.route("**/*.wasm", (route) => route.fulfill({ status: 200, contentType: "application/wasm", body: "broken" }));
  await page.goto(`${server.origin}/?a=1#v1;kept`);
  await page.getByRole("alertdialog").waitFor();
  assert.equal(await page.getByRole("link", { name: "Use the CPU" }).getAttribute("href"),
    `${server.origin}/?a=1&compute=cpu#v1;kept`);
  await page.unroute("**/*.wasm");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForEvent("load").catch(() => {});
  await page.waitForFunction(() => document.getElementById("lobby") === null);
  assert.ok(await page.locator("#crash").isHidden());
  assert.ok(page.url().endsWith("#v1;kept"));
});

test("a program that stops is a card with its message", bounded, async (t) => {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const page = await open(browser, `${server.origin}/`);
  await page.waitForFunction(() => document.getElementById("lobby") === null);
  await page.evaluate(() => {
    dispatchEvent(new CustomEvent("vitrine-crash", { detail: "the graphics card was lost" }));
    dispatchEvent(new CustomEvent("vitrine-crash", { detail: "an echo of it" }));
  });
  await page.getByText("the graphics card was lost").waitFor();
  assert.equal(await page.getByText("an echo of it").count(), 0);
  await picture(page, "crash");
});
