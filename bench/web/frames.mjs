// How smooth the page is while the CPU computes: the longest gap between two frames after a letter and while a layer learns, the
// longest task of the first load, and the memory of the renderer with three exhibits open. Prints JSON; needs dist/.
//
//     node bench/web/frames.mjs

import { readFileSync } from "node:fs";
import { edit, launch, open, until } from "../../tests/web/browser.mjs";
import { serve } from "../../tests/web/server.mjs";

const server = await serve({ "/": "dist" });
const settled = (it) => it.ready && it.live && !it.computing && it.model.status === "ready";

/// Notes every frame and every task of more than 50 ms, from before the page begins.
function watch() {
  window.frames_ = [];
  window.tasks_ = [];
  const note = (now) => {
    window.frames_.push(now);
    requestAnimationFrame(note);
  };
  requestAnimationFrame(note);
  new PerformanceObserver((list) => {
    for (const it of list.getEntries()) window.tasks_.push([it.startTime, it.duration]);
  }).observe({ type: "longtask", buffered: true });
}

/// The longest gaps between frames, and tasks, since `from`, in ms.
const longest = (page, from) => page.evaluate((from) => {
  const frames = window.frames_.filter((it) => it >= from);
  const most = (list) => list.map(Math.round).sort((a, b) => b - a).slice(0, 5);
  const gaps = most(frames.slice(1).map((it, i) => it - frames[i]));
  return { frames: frames.length, gaps, tasks: most(window.tasks_.filter((it) => it[0] >= from).map((it) => it[1])) };
}, from);

const now = (page) => page.evaluate(() => performance.now());

async function session(address) {
  const browser = await launch("webgl2");
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.errors = [];
  await page.addInitScript(watch);
  await page.goto(server.origin + address);
  return { browser, page };
}

/// Loads the page, types a letter at the end of a text of 512 tokens, and waits until it is answered.
async function typing() {
  const { browser, page } = await session("/?compute=cpu#v1;tiles=(exhibit:attention)");
  await until(page, settled, "the default sentence", 120);
  const load = await longest(page, 0);
  await edit(page);
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.insertText("cat ".repeat(600).trim());
  await until(page, (it) => settled(it) && it.tokens.length >= 512, "the long text", 120);
  await page.waitForTimeout(500);
  const from = await now(page);
  await page.keyboard.press("Backspace");
  await page.keyboard.type("r");
  await page.waitForTimeout(300);
  await until(page, settled, "the letter's answer", 120);
  const letter = await longest(page, from);
  await browser.close();
  return { load, letter };
}

/// Opens the exhibit in which a layer of attention learns, and waits until it has found a step of gradient descent; how long that
/// takes from opening the page on, and the gaps and tasks from its first picture on.
async function learning() {
  const { browser, page } = await session("/?compute=cpu#v1;tiles=(exhibit:icl-descent)");
  await until(page, (it) => it.ready, "the first picture", 120);
  const from = await now(page);
  const cosine = () => page.evaluate(() => window.vitrine.read("cosine").then((it) => it.data[0], () => 0));
  while (await cosine() < 0.99) await page.waitForTimeout(100);
  const seconds = Math.round(await now(page) / 100) / 10;
  const found = await longest(page, from);
  await browser.close();
  return { seconds, ...found };
}

/// Private memory of the renderer, in MB, with three exhibits on the wall, all computed.
async function memory() {
  const tiles = ["attention", "normgrad", "learning"].map((it) => `(exhibit:${it})`).join(",");
  const { browser, page } = await session(`/?compute=cpu#v1;tiles=(split:row,parts:(${tiles}))`);
  await until(page, (it) => it.ready && it.live && it.model.status === "ready", "three exhibits", 120);
  await page.waitForTimeout(2000);
  const session_ = await browser.newBrowserCDPSession();
  const { processInfo } = await session_.send("SystemInfo.getProcessInfo");
  const size = ({ id }) => {
    const field = (name) => Number(readFileSync(`/proc/${id}/smaps_rollup`, "utf8").match(`${name}: *(\\d+)`)[1]) / 1000;
    return { private: Math.round(field("Private_Dirty") + field("Private_Clean")), resident: Math.round(field("Rss")) };
  };
  const renderers = processInfo.filter((it) => it.type === "renderer").map(size);
  await browser.close();
  return renderers.reduce((a, b) => (a.resident > b.resident ? a : b));
}

console.log(JSON.stringify({ ...(await typing()), learning: await learning(), memory: await memory() }, null, 1));
process.exit(); // whatever a browser may have left behind
