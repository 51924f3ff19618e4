"""Draws web/poster.svg, the picture that stands in the page before the app does: what MiniLM's layer 3, head 1 really
does with the default sentence, where "it" finds "animal". The colours come from the page's style.

    python3 web/poster.py
"""

from html import escape
from pathlib import Path

from safetensors import safe_open

ROOT = Path(__file__).resolve().parent.parent
TOKENS = "[CLS] the animal didn ' t cross the street because it was too tired . [SEP]".split()
LAYER, HEAD, QUERY = 3, 1, TOKENS.index("it")
CELL, LEFT, TOP = 20, 76, 68

golden = safe_open(ROOT / "tests" / "golden" / "minilm.safetensors", "np")
pattern = golden.get_tensor(f"long/blocks.{LAYER}.attn.pattern")[HEAD]
key = int(pattern[QUERY].argmax())
width, height = LEFT + CELL * len(TOKENS) + 28, TOP + CELL * len(TOKENS) + 4
says = f"Layer {LAYER}, head {HEAD}: “{TOKENS[QUERY]}” attends to “{TOKENS[key]}” ({pattern[QUERY, key]:.2f})"

lines = [f'<svg class="poster" viewBox="0 0 {width} {height}" role="img"><title>{says}</title>']
for i, token in enumerate(TOKENS):
    middle = CELL * i + CELL // 2
    lit = ['', ' class="lit"']
    lines.append(f'<text{lit[i == QUERY]} text-anchor="end" x="{LEFT - 8}" y="{TOP + middle + 4}">{escape(token)}</text>')
    turn = f"translate({LEFT + middle + 4} {TOP - 8}) rotate(-60)"
    lines.append(f'<text{lit[i == key]} transform="{turn}">{escape(token)}</text>')
lines.append(f'<path class="floor" d="M{LEFT} {TOP}h{CELL * len(TOKENS)}v{CELL * len(TOKENS)}H{LEFT}z"/>')
# One path for each percent: a cell is a subpath, so 256 cells cost little.
cells = {}
for i, row in enumerate(pattern):
    for j, p in enumerate(row):
        cells.setdefault(round(float(p), 2), []).append(f"M{LEFT + CELL * j} {TOP + CELL * i}h{CELL - 1}v{CELL - 1}h-{CELL - 1}z")
lines += [f'<path opacity="{p:g}" d="{"".join(d)}"/>' for p, d in sorted(cells.items()) if p > 0]
lines.append("</svg>\n")
(ROOT / "web" / "poster.svg").write_text("\n".join(lines))
