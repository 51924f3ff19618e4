// Weights stay in this browser once they came: in its Cache Storage, in parts, by the SHA-256 of the whole file. A download that
// broke off goes on where it did, and what is here is checked before it is given away. `./run build` notes hash and size of every
// large file in models/hashes.json; any other is fetched as ever, and so is everything where a browser keeps nothing.

const STORE = "vitrine-weights";
const PART = 4 << 20; // bytes that a break may cost
const fetched = window.fetch.bind(window);
const stored = new Map(); // what is here of each file, in bytes

let known; // {path: {hash, size}}
const hashes = () => known ??= fetched("models/hashes.json").then((it) => (it.ok ? it.json() : {})).catch(() => ({}));
const partName = (hash, start) => `/${STORE}/${hash}/${start}`;

/// Bytes that are here of the file at `path`.
window.keptBytes = (path) => stored.get(path) ?? 0;

/// Lets go of the file at `path`.
window.forgetWeights = async (path) => {
  stored.delete(path);
  const { hash } = (await hashes())[path] ?? {};
  if (hash) await drop(await caches.open(STORE), (it) => it === hash);
};

window.fetch = async (resource, options) => {
  const url = new URL(resource.url ?? resource, document.baseURI);
  const path = url.href.slice(new URL(".", document.baseURI).href.length);
  if (!path.startsWith("models/") || !path.endsWith(".safetensors") || !window.caches) return fetched(resource, options);
  const file = (await hashes())[path];
  const store = file && await caches.open(STORE).catch(() => null);
  return store ? read(path, url, file, store) : fetched(resource, options);
};

addEventListener("vitrine-first-frame", () => {
  setTimeout(() => hashes().then(tidy).catch(() => { /* Nothing is kept here. */ }), 2000);
});

/// The file as a response that gives what is here, then what the network has, and ends in an error where the two are not the file.
async function read(path, url, { hash, size }, store) {
  let parts = await begun(store, hash);
  if (parts.size === size && await digest(parts) !== hash) {
    await drop(store, (it) => it === hash);
    parts = new Blob();
  }
  const abort = new AbortController();
  let rest;
  if (parts.size < size) {
    const headers = parts.size ? { Range: `bytes=${parts.size}-` } : {};
    rest = await fetched(url, { headers, signal: abort.signal });
    if (!rest.ok) return rest;
    if (!rest.headers.get("content-range")?.startsWith(`bytes ${parts.size}-`)) parts = new Blob(); // It sends the whole file.
  }
  stored.set(path, parts.size);
  const body = new ReadableStream({
    async start(controller) {
      try {
        await pass(parts.stream(), (chunk) => controller.enqueue(chunk));
        if (rest) await take(rest.body, parts.size, controller);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
    },
    cancel: () => abort.abort(),
  });
  return new Response(body, { headers: { "content-length": size } });

  /// Gives on what comes, puts it into the store part by part, and checks the whole.
  async function take(stream, start, controller) {
    let chunks = [];
    let length = 0;
    const keep = async () => {
      await store.put(partName(hash, start), new Response(new Blob(chunks))).catch(() => { /* The disk is full. */ });
      start += length;
      stored.set(path, start);
      [chunks, length] = [[], 0];
    };
    await pass(stream, async (chunk) => {
      controller.enqueue(chunk);
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length >= PART) await keep();
    });
    if (length) await keep();
    if (start < size) throw new Error(`it ended after ${start} of ${size} bytes`);
    const whole = await begun(store, hash);
    if (whole.size === size && await digest(whole) !== hash) {
      await drop(store, (it) => it === hash);
      stored.delete(path);
      throw new Error("what came is not the file that this page was made with. Try again");
    }
  }
}

async function pass(stream, give) {
  const reader = stream.getReader();
  for (let it; !(it = await reader.read()).done;) await give(it.value);
}

/// What is here of a file, from its beginning on.
async function begun(store, hash) {
  const parts = [];
  for (let start = 0, it; (it = await store.match(partName(hash, start)));) {
    const part = await it.blob();
    if (!part.size) break;
    parts.push(part);
    start += part.size;
  }
  return new Blob(parts);
}

async function digest(blob) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
  return [...bytes].map((it) => it.toString(16).padStart(2, "0")).join("");
}

/// Deletes all parts of the files whose hash is `unwanted`.
async function drop(store, unwanted) {
  const gone = (await store.keys()).filter((it) => unwanted(new URL(it.url).pathname.split("/")[2]));
  await Promise.all(gone.map((it) => store.delete(it)));
}

/// Lets go of the weights of earlier versions, and counts what is here.
async function tidy(files) {
  if (!window.caches || !Object.keys(files).length) return;
  const store = await caches.open(STORE);
  const current = new Set(Object.values(files).map((it) => it.hash));
  await drop(store, (it) => !current.has(it));
  const names = (await store.keys()).map((it) => new URL(it.url).pathname);
  for (const [path, { hash }] of Object.entries(files)) {
    // Parts are named by where they begin: only the last one is read.
    const starts = names.map((it) => it.split("/")).filter((it) => it[2] === hash).map((it) => Number(it[3]));
    if (!starts.length) continue;
    const last = Math.max(...starts);
    stored.set(path, last + (await (await store.match(partName(hash, last))).blob()).size);
  }
}
