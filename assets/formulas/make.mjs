// Typesets the formulas of `vitrine list` into pictures: {id}.png, whose grey is the ink, and table.rs, which lists them.
// formulas.json says what each picture was made from; those whose formula is the same stay. `./run formulas` runs it.
//
// An em is 96 pixels: six times body text, so that a large lecture hall on a dense screen still sees sharp edges.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

import { Resvg } from '@resvg/resvg-js';
import { liteAdaptor } from 'mathjax-full/js/adaptors/liteAdaptor.js';
import { RegisterHTMLHandler } from 'mathjax-full/js/handlers/html.js';
import { TeX } from 'mathjax-full/js/input/tex.js';
import { AllPackages } from 'mathjax-full/js/input/tex/AllPackages.js';
import { mathjax } from 'mathjax-full/js/mathjax.js';
import { SVG } from 'mathjax-full/js/output/svg.js';

const EM = 96;
const here = new URL('.', import.meta.url);
const adaptor = liteAdaptor();
RegisterHTMLHandler(adaptor);
const page = mathjax.document('', {
	InputJax: new TeX({ packages: AllPackages }),
	OutputJax: new SVG({ fontCache: 'none' }),
});

const record = new URL('formulas.json', here);
const typeset = JSON.parse(readFileSync(record));
const lines = readFileSync('/dev/stdin', 'utf8').trim().split('\n').map((line) => line.split('\t'));
const formulas = Object.fromEntries(lines.map((columns) => [columns[0], columns.at(-1)]));
for (const [id, tex] of Object.entries(formulas)) {
	if (typeset[id] === tex) continue;
	const picture = inkOf(svgOf(tex));
	writeFileSync(new URL(`${id}.png`, here), png(picture));
	console.log(`${id}: ${picture.width} x ${picture.height}`);
}
for (const id of Object.keys(typeset)) if (!(id in formulas)) rmSync(new URL(`${id}.png`, here));
const rows = Object.keys(formulas).map((id) => `    ("${id}", include_bytes!("${id}.png")),\n`);
writeFileSync(new URL('table.rs', here), `// Written by make.mjs.\n&[\n${rows.join('')}]\n`);
writeFileSync(record, `${JSON.stringify(formulas, null, '\t')}\n`);

/** The formula as an SVG in black, sized in pixels. */
function svgOf(tex) {
	const node = adaptor.firstChild(page.convert(tex, { display: true, em: EM, ex: EM / 2 }));
	// The view box counts thousandths of an em. Strokes reach a little beyond it.
	const [left, top, width, height] = adaptor.getAttribute(node, 'viewBox').split(' ').map(Number);
	const [margin, w, h] = [40, width + 80, height + 80];
	adaptor.setAttribute(node, 'viewBox', `${left - margin} ${top - margin} ${w} ${h}`);
	adaptor.setAttribute(node, 'width', `${(w * EM) / 1000}px`);
	adaptor.setAttribute(node, 'height', `${(h * EM) / 1000}px`);
	const svg = adaptor.outerHTML(node).replaceAll('currentColor', 'black');
	if (svg.includes('data-mjx-error')) throw new Error(`not TeX: ${tex}`);
	return svg;
}

/** How much ink is on every pixel. */
function inkOf(svg) {
	const { width, height, pixels } = new Resvg(svg, { font: { loadSystemFonts: false } }).render();
	const ink = Buffer.alloc(width * height);
	for (let i = 0; i < ink.length; i++) ink[i] = pixels[4 * i + 3];
	return { width, height, ink };
}

/** An 8-bit grey PNG. */
function png({ width, height, ink }) {
	const lines = Buffer.alloc((width + 1) * height);
	for (let y = 0; y < height; y++) ink.copy(lines, y * (width + 1) + 1, y * width, (y + 1) * width);
	const header = Buffer.alloc(13);
	header.writeUInt32BE(width, 0);
	header.writeUInt32BE(height, 4);
	header[8] = 8;
	const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
	const data = deflateSync(lines, { level: 9 });
	return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type, data) {
	const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
	const frame = Buffer.alloc(8);
	frame.writeUInt32BE(data.length, 0);
	frame.writeUInt32BE(crc32(body), 4);
	return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
}
