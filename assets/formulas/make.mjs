// Typesets the formulas of `vitrine list` into pictures: ../typeset/{id}.ink, a byte a pixel, deflated, and
// table.rs, which has their sizes.
// formulas.json says what each picture was made from; those whose formula is the same stay. `./run formulas` runs it.
//
// An em is 96 pixels: six times body text, so that a large lecture hall on a dense screen still sees sharp edges.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';

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

const fileOf = (id) => new URL(`../typeset/${id}.ink`, here);
const record = new URL('formulas.json', here);
const typeset = JSON.parse(readFileSync(record));
const table = new URL('table.rs', here);
const known = readFileSync(table, 'utf8').matchAll(/"(.+)", \[(.+), (.+)\]/g);
const sizes = Object.fromEntries([...known].map(([, id, ...size]) => [id, size]));
const lines = readFileSync('/dev/stdin', 'utf8').trim().split('\n').map((line) => line.split('\t'));
const formulas = Object.fromEntries(lines.map((columns) => [columns[0], columns.at(-1)]));
for (const [id, tex] of Object.entries(formulas)) {
	if (typeset[id] === tex) continue;
	const picture = inkOf(svgOf(tex));
	writeFileSync(fileOf(id), deflateSync(picture.ink, { level: 9 }));
	sizes[id] = [picture.width, picture.height];
	console.log(`${id}: ${picture.width} x ${picture.height}`);
}
for (const id of Object.keys(typeset)) if (!(id in formulas)) rmSync(fileOf(id));
const rows = Object.keys(formulas).map((id) => `    ("${id}", [${sizes[id].join(', ')}]),\n`);
writeFileSync(table, `// Written by make.mjs: width and height.\n&[\n${rows.join('')}]\n`);
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
