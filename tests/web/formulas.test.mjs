// Formulas come with the cards that show them, and nothing moves when one comes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect, launch, open, picture, until } from "./browser.mjs";
import { serve } from "./server.mjs";

let server;
before(async () => { server = await serve({ "/": "dist" }); });
after(() => { server.closeAllConnections(); server.close(); });

const bounded = { timeout: 120_000 };

/// A page at `link`, on which formulas do as `answer` says.
async function session(t, link, answer) {
  const browser = await launch("webgl2");
  t.after(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const asked = [];
  await context.route("**/typeset/*", async (route) => {
    asked.push(new URL(route.request().url()).pathname);
    await answer(route);
  });
  const page = await open(context, `${server.origin}/${link}`);
  await page.waitForFunction(() => performance.getEntriesByName("vitrine-first-frame").length > 0, null, { timeout: 60_000 });
  return { page, asked };
}

const still = (it) => it.ready && it.live && !it.computing && it.tiles[0]?.picture;

test("a formula comes into the room that was kept for it", bounded, async (t) => {
  let come;
  const late = new Promise((resolve) => { come = resolve; });
  const { page, asked } = await session(t, "#v1;tiles=(exhibit:normgrad)", async (route) => {
    await late;
    await route.continue();
  });
  const before = await until(page, still, "the maps computed");
  const without = await picture(page, "formula-coming");
  come();
  await page.waitForResponse("**/typeset/normgrad.ink");
  await page.waitForTimeout(1000);
  const after = await until(page, still, "the same maps");
  // Below, the claims take another line as they are measured.
  assert.deepEqual(after.tiles[0].picture.min, before.tiles[0].picture.min, "nothing moved");
  const { difference } = await inspect(page, without, await picture(page, "formula"));
  assert.ok(difference > 0.0005, `the formula is drawn: ${difference} of the screen changed`);
  assert.deepEqual(asked, ["/typeset/normgrad.ink"], "no other is asked for");
});

test("a formula that cannot be had is shown as TeX", bounded, async (t) => {
  const { page } = await session(t, "#v1;tiles=(exhibit:normgrad)", (route) => route.fulfill({ status: 404, body: "not found" }));
  await until(page, still, "the maps computed");
  const { colours } = await inspect(page, await picture(page, "formula-missing"));
  assert.ok(colours > 50, "the page goes on");
});
