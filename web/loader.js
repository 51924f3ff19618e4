// What the page does around the program: progress while it loads, words when it cannot run, a card when it stops.
// Trunk puts this into a module script after `const glue = "...", wasm = "...", size = ..., tokens = "...", version = "...";`.

const lobby = document.getElementById("lobby");
const progress = document.getElementById("progress");
const crash = document.getElementById("crash");
const canvas = document.getElementById("vitrine");
const MARK = "vitrine-lost"; // when the page last opened itself again, in sessionStorage
let running = false; // from the first frame on
let leaving = false; // once the GPU is lost

addEventListener("vitrine-first-frame", () => {
  running = true;
  performance.mark("vitrine-first-frame");
  lobby.remove();
  canvas.focus(); // its keys work without a click
  setTimeout(forget, 10_000);
});
addEventListener("vitrine-crash", ({ detail }) => failed(detail));
addEventListener("vitrine-lost", ({ detail }) => lost(detail)); // WebGPU
canvas.addEventListener("webglcontextlost", () => lost("the browser took WebGL2 away"));
addEventListener("error", ({ error }) => trapped(error));
addEventListener("unhandledrejection", ({ reason }) => trapped(reason));

start().catch((error) => stopped(`The program could not be loaded: ${error.message}`));

/// Says why the program did not begin or does not go on. Whether the browser lets a page draw at all is asked only now: a canvas to try
/// it on would hold the page for a third of a second while it is loading.
async function failed(reason) {
  if (running || await canDraw()) return stopped(reason);
  if (reopened()) {
    return stopped("The graphics processor was lost, and the browser does not let the page draw any more. Please start it anew.");
  }
  progress.textContent = "This browser offers neither WebGPU nor WebGL2, so Vitrine cannot draw here. A current Chrome, "
    + "Edge, Firefox or Safari with hardware acceleration switched on can; so can the desktop program.";
  lobby.classList.add("words");
}

async function canDraw() {
  if (document.createElement("canvas").getContext("webgl2")) return true;
  return Boolean(await navigator.gpu?.requestAdapter().catch(() => null));
}

/// Downloads both parts and calls the program's `main`; its exports become `window.vitrine`.
async function start() {
  const [app, response] = await Promise.all([import(glue), fetch(wasm), import("./weights.js")]);
  if (!response.ok) throw new Error(`${wasm}: ${response.status}`);
  window.vitrine = app;
  const { memory } = await app.default({ module_or_path: new Response(response.body.pipeThrough(counted()), response) });
  addEventListener("vitrine-first-frame", () => fuse(memory).catch(() => {})); // It computes without, too.
}

/// Has products fuse multiplication and addition where the browser can: by a module of its own, as one with an instruction that a
/// browser does not know is refused whole.
async function fuse(memory) {
  const response = await fetch(`product.wasm?${wasm.match(/[0-9a-f]{8,}/)}`); // Its name is always the same.
  const { instance } = await WebAssembly.instantiate(await response.arrayBuffer(), { env: { memory } });
  window.product = instance.exports;
  window.vitrine.fuse();
}

let tokensComing;
let tries = 0;

/// Sees to it that `window.tokens` is there: what makes tokens of text, which the program asks for with the first model that reads
/// any. What failed is tried again at another address, as browsers remember a module that did not come by the one it had.
window.loadTokens = () => tokensComing ??= loadTokens().catch((error) => {
  tokensComing = undefined;
  throw error;
});

async function loadTokens() {
  const query = `?${version}${"~".repeat(tries++)}`; // Its name is always the same, its contents are not.
  const module = await import(`${tokens}.js${query}`);
  await module.default({ module_or_path: `${tokens}_bg.wasm${query}` });
  window.tokens = module;
}

/// Shows what has passed as a share of `size`. The length in the header would be that of the compressed file.
function counted() {
  const [label, bar] = progress.children;
  let received = 0;
  return new TransformStream({
    transform(chunk, controller) {
      received += chunk.byteLength;
      label.textContent = `Loading the program: ${Math.round(100 * received / size)} %`;
      bar.value = received / size;
      controller.enqueue(chunk);
    },
  });
}

// A trap in wasm leaves the program dead. Before the first frame any error does; after it, others are none of ours.
function trapped(error) {
  if (!running || error instanceof WebAssembly.RuntimeError) stopped(String(error?.message ?? error));
}

/// A GPU that is lost (its driver starts anew, a laptop slept) takes all that draws along, and only another page has another
/// one: this one opens again with its state, once. What is lost again soon after would be lost for ever, so it is said.
function lost(reason) {
  if (leaving || !crash.hidden) return;
  leaving = true;
  setTimeout(() => { // The program may be in the middle of the frame that noticed.
    keep();
    if (reopened()) stopped(`The graphics processor was lost again, right after the page had opened anew: ${reason}`);
    else if (note()) location.reload();
    else stopped(`The graphics processor was lost: ${reason}`);
  });
}

/// Puts the latest state into the address: the program does so only when it has not changed for a moment.
function keep() {
  try {
    history.replaceState(null, "", JSON.parse(window.vitrine.state()).link);
  } catch { /* It has not started or has stopped: the address is the best there is. */ }
}

/// Whether the page has opened itself again a moment ago.
function reopened() {
  try {
    return Date.now() - Number(sessionStorage.getItem(MARK)) < 60_000;
  } catch {
    return false;
  }
}

/// Notes that the page opens itself again; whether that was possible.
function note() {
  try {
    sessionStorage.setItem(MARK, Date.now());
    return true;
  } catch {
    return false; // Without a memory it could go round for ever.
  }
}

/// What is lost after some time of drawing well may come back once more.
function forget() {
  try {
    if (!leaving) sessionStorage.removeItem(MARK);
  } catch { /* nothing was noted */ }
}

function stopped(message) {
  if (!crash.hidden) return; // The first message is the cause; what follows is its echo.
  const [retry, onCpu] = crash.querySelectorAll("button, a");
  const address = new URL(location);
  onCpu.hidden = address.searchParams.get("compute") === "cpu";
  address.searchParams.set("compute", "cpu");
  onCpu.href = address;
  retry.onclick = () => location.reload();
  progress.hidden = true;
  crash.querySelector("pre").textContent = message;
  crash.hidden = false;
  retry.focus();
}
