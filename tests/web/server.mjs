// A static file server: for `./run web`, and for the tests, which can make it lose or cut the weights.
//
//     node tests/web/server.mjs FOLDER [PORT]

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

/// Serves `folders`, a map from a path's beginning to a folder, at `server.origin`. While `server.fault` is "missing" the weights
/// are not found, while it is "truncated" half of them come, as a complete file.
export async function serve(folders, port = 0) {
  const server = createServer(async (request, response) => {
    const path = pathOf(request.url);
    const fault = path?.endsWith(".safetensors") ? server.fault : null;
    const file = path && fault !== "missing" && await find(folders, path.endsWith("/") ? `${path}index.html` : path);
    if (!file) return response.writeHead(404).end("not found");
    const size = fault === "truncated" ? file.size >> 1 : file.size;
    const start = Number(request.headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
    const part = start > 0 && start < size;
    response.writeHead(part ? 206 : 200, {
      "accept-ranges": "bytes",
      "cache-control": "no-cache",
      "content-length": part ? size - start : size,
      "content-type": TYPES[extname(file.path)] ?? "application/octet-stream",
      ...(part && { "content-range": `bytes ${start}-${size - 1}/${size}` }),
    });
    if (request.method === "HEAD") return response.end();
    createReadStream(file.path, { start: part ? start : 0, end: size - 1 }).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  server.fault = null;
  server.origin = `http://localhost:${server.address().port}`;
  return server;
}

function pathOf(url) {
  try {
    return normalize(decodeURIComponent(new URL(url, "http://host").pathname));
  } catch {
    return null; // not an address
  }
}

async function find(folders, path) {
  for (const [start, folder] of Object.entries(folders)) {
    if (!path.startsWith(start)) continue;
    const found = join(folder, path.slice(start.length));
    const info = await stat(found).catch(() => null);
    if (info?.isFile()) return { path: found, size: info.size };
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, port] = process.argv.slice(2);
  const server = await serve({ "/": folder }, Number(port)).catch(() => serve({ "/": folder }));
  console.log(`Vitrine: ${server.origin}/   (Ctrl-C stops it)`);
}
