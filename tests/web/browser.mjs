// A real Chromium on a GPU in software, and a page of it with Vitrine.

import { mkdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

const QUIET = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const WEBGL2 = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--enable-gpu"];
const FLAGS = {
  // All of these are needed for screenshots of a WebGPU canvas; with fewer it computes but is captured blank.
  webgpu: [...WEBGL2, "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-vulkan=swiftshader"],
  webgl2: [...WEBGL2, "--disable-features=WebGPU"],
  nothing: ["--disable-gpu", "--disable-3d-apis", "--disable-features=WebGPU"],
};
const OUT = new URL("out/", import.meta.url).pathname;

/// A browser that can draw with "webgpu", "webgl2" or "nothing".
export function launch(ability) {
  return chromium.launch({ executablePath: executable(), args: [...QUIET, ...FLAGS[ability]] });
}

function executable() {
  const search = "command -v chromium || command -v chromium-browser || command -v google-chrome";
  return process.env.CHROMIUM ?? execFileSync("sh", ["-c", search], { encoding: "utf8" }).trim();
}

/// A page at `url`. What it logs as an error fails the test that looks at `page.errors`.
export async function open(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") page.errors.push(message.text());
  });
  await page.goto(url);
  return page;
}

export const state = (page) => page.evaluate(() => JSON.parse(window.vitrine.state()));

/// Begins to edit the sentence. The field has the keyboard a frame after its key was pressed, which a busy machine's software
/// GPU takes a while for; letters that come before are lost.
export async function edit(page) {
  await page.keyboard.press("/");
  await page.waitForFunction(() => document.activeElement instanceof HTMLInputElement, null, { timeout: 60_000 });
}

/// Waits until `test` holds of the app's state, and returns that state; says the last one seen when it never does.
export async function until(page, test, what, seconds = 60) {
  const end = Date.now() + 1000 * seconds;
  let last;
  while (Date.now() < end) {
    last = await state(page).catch((error) => error.message);
    if (last?.model && test(last)) return last;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await picture(page, "timeout");
  throw new Error(`not within ${seconds} s: ${what}. Last state: ${JSON.stringify(last)}. Errors: ${page.errors.join("; ")}`);
}

/// A picture of the screen, kept as out/NAME.png too. It goes through the DevTools protocol: others capture blanks.
export async function picture(page, name) {
  mkdirSync(OUT, { recursive: true });
  return (await page.screenshot({ path: `${OUT}${name}.png` })).toString("base64");
}

/// How many colours picture `a` has, and the share of its pixels that differ from `b`'s. The browser itself decodes.
export async function inspect(page, a, b = a) {
  const scratch = await page.context().browser().newPage();
  const found = await scratch.evaluate(async (pictures) => {
    const [a, b] = await Promise.all(pictures.map(async (base64) => {
      const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context.drawImage(bitmap, 0, 0);
      return new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer);
    }));
    return { colours: new Set(a).size, difference: a.filter((pixel, i) => pixel !== b[i]).length / a.length };
  }, [a, b]);
  await scratch.close();
  return found;
}

/// How many colours of scales, which are no greys, a picture has inside a rectangle of points `{min, max}`. Words have a few at
/// their edges, a heat map hundreds.
export async function hues(page, picture, { min, max }) {
  const scratch = await page.context().browser().newPage();
  const found = await scratch.evaluate(async ([picture, left, top, width, height]) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const pixels = context.getImageData(left, top, width, height).data;
    const seen = new Set();
    for (let i = 0; i < pixels.length; i += 4) {
      const rgb = pixels.slice(i, i + 3);
      if (Math.max(...rgb) - Math.min(...rgb) > 40) seen.add(rgb.join());
    }
    return seen.size;
  }, [picture, ...[min.x, min.y, max.x - min.x, max.y - min.y].map(Math.round)]);
  await scratch.close();
  return found;
}
