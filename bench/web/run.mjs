// The benchmark in the browser: Vitrine's page and ONNX Runtime Web, one after the other in the same Chromium, on the
// same weights, tokens and outputs. Prints JSON; needs dist/, bench/out/minilm.onnx and bench/web/node_modules.
//
//     node bench/web/run.mjs

import { readdirSync, readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { launch, open, until } from "../../tests/web/browser.mjs";
import { serve } from "../../tests/web/server.mjs";

const here = new URL(".", import.meta.url).pathname;
const server = await serve({
  "/peer/ort/": `${here}node_modules/onnxruntime-web/dist`,
  "/peer/out/": `${here}../out`,
  "/peer/": here,
  "/": "dist",
});

async function peer(provider) {
  const browser = await launch("webgpu");
  const page = await open(browser, `${server.origin}/peer/peer.html?provider=${provider}`);
  await page.waitForFunction(() => window.result, null, { timeout: 300_000 });
  const result = await page.evaluate(() => window.result);
  await browser.close();
  return result;
}

/// Times come from the program itself: `window.vitrine.bench(tokens)` runs a prompt of that many tokens, reads `final`
/// and all patterns back, and resolves to JSON: { ms, min, runs, checksum, ... }.
async function vitrine(compute) {
  const browser = await launch("webgpu");
  const page = await open(browser, `${server.origin}/?compute=${compute}`);
  await page.waitForFunction(() => performance.getEntriesByName("vitrine-first-frame").length, null, { timeout: 60_000 });
  const firstPicture = await page.evaluate(() => performance.getEntriesByName("vitrine-first-frame")[0].startTime);
  const timed = async (model) => {
    await page.goto(`${server.origin}/?compute=${compute}#v1;model=${model}`);
    await idle(page);
    const runs = [];
    for (const tokens of [32, 128]) {
      runs.push({ tokens, ...JSON.parse(await page.evaluate((tokens) => window.vitrine.bench(tokens), tokens)) });
    }
    return runs;
  };
  const runs = await timed("minilm-f32"); // the peer has the full weights
  const eightBits = await timed("minilm");
  await page.close();
  const other = await open(browser, `${server.origin}/?compute=${compute}#v1;tiles=(exhibit:normgrad,state:(model:efficientnet-lite0))`);
  const seen = (it) => it.live && it.model.id === "efficientnet-lite0" && it.model.status === "ready";
  const { seconds: normgrad } = await until(other, seen, "the maps of EfficientNet-Lite0", 120);
  await browser.close();
  return { runtime: "vitrine", provider: compute, firstPicture, runs, eightBits, normgrad };
}

/// Waits until the page has computed nothing for a second: claims are measured once the weights are there, beside whatever is timed.
async function idle(page) {
  let since = 0;
  const rests = (it) => {
    since = it.ready && it.model.status === "ready" && !it.computing ? since || Date.now() : 0;
    return since && Date.now() > since + 1000;
  };
  await until(page, rests, "nothing to compute", 240);
}

/// What travels before the weights do, in bytes.
function payload() {
  const files = readdirSync("dist").filter((name) => /^(?!tokens).*\.(js|wasm|html)$/.test(name)).map((name) => readFileSync(`dist/${name}`));
  const sum = (size) => files.reduce((total, file) => total + size(file), 0);
  return { raw: sum((file) => file.length), gzip: sum((file) => gzipSync(file, { level: 9 }).length), brotli: sum((file) => brotliCompressSync(file).length) };
}

const sides = [];
for (const [side, which] of [[vitrine, "cpu"], [peer, "wasm"], [vitrine, "gpu"], [peer, "webgpu"]]) {
  sides.push(await side(which).catch((error) => ({ provider: which, error: error.message })));
}
console.log(JSON.stringify({ payload: payload(), sides }, null, 1));
process.exit(); // whatever a browser may have left behind
