// What the page does around the program: progress while it loads, words when it cannot run, a card when it stops.
// Trunk puts this into a module script after the lines `const glue = "...", wasm = "...", size = ...;`.

const lobby = document.getElementById("lobby");
const progress = document.getElementById("progress");
const crash = document.getElementById("crash");
let running = false; // from the first frame on

addEventListener("vitrine-first-frame", () => {
  running = true;
  performance.mark("vitrine-first-frame");
  lobby.remove();
  document.getElementById("vitrine").focus(); // its keys work without a click
});
addEventListener("vitrine-crash", ({ detail }) => stopped(detail));
addEventListener("error", ({ error }) => trapped(error));
addEventListener("unhandledrejection", ({ reason }) => trapped(reason));

if (await canDraw()) {
  await start().catch((error) => stopped(`The program could not be loaded: ${error.message}`));
} else {
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
  const [app, response] = await Promise.all([import(glue), fetch(wasm)]);
  if (!response.ok) throw new Error(`${wasm}: ${response.status}`);
  window.vitrine = app;
  await app.default({ module_or_path: new Response(response.body.pipeThrough(counted()), response) });
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
