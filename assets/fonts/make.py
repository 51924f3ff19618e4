#!/usr/bin/env python3
"""Cuts the fonts down to what Vitrine writes with.

    apt install fonts-inter fonts-jetbrains-mono fonts-dejavu-core && pip install fonttools && python3 make.py

Inter gets its tabular numerals as the plain ones, so that columns of numbers align in every program.
"""

import pathlib

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = pathlib.Path(__file__).parent
FONTS = pathlib.Path("/usr/share/fonts")

LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x180), 0x18F, 0x192, 0x1A0, 0x1A1, 0x1AF, 0x1B0, *range(0x218, 0x21C), 0x2BC, 0x2C6, 0x2C7, *range(0x2D8, 0x2DE)]
MARKS = [0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30A, 0x30B, 0x30C, 0x327, 0x328]
GREEK = [c for c in range(0x384, 0x3CF) if c not in (0x38B, 0x38D, 0x3A2)]
SIGNS = [
    ord(c)
    for c in "‐‑‒–—‖‘’‚“”„†‡•…‰′″‹›⁄€№™←↑→↓↔↕↖↗↘↙⇒⇔⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻₀₁₂₃₄₅₆₇₈₉½¼¾"
    "∂∆∏∑−√∞∫≈≠≤≥·×÷±ℓ■□▲△▶▷▼▽◀◁◆◇○●★☆☀✓✗⌘⇧⌥⏎⟶↩↺↻␣"
]
# What neither text face has.
SYMBOLS = [ord(c) for c in "∇∈∉∥∧∨∘∗∝∼≡⊙⊕⊗⊤⊥⊞⊟⟨⟩ᵀᵢℝ◐◌◯✕✎☰⋯▴▸▾◂⟲⟳☾⚠⚙▁▂▃▄▅▆▇█�⌕"]


def main():
    for name, source, characters in [
        ("Inter-Regular.otf", "opentype/inter/Inter-Regular.otf", LATIN + MARKS + GREEK + SIGNS),
        ("Inter-SemiBold.otf", "opentype/inter/Inter-SemiBold.otf", LATIN + MARKS + GREEK + SIGNS),
        ("JetBrainsMono-Regular.ttf", "truetype/jetbrains-mono/JetBrainsMono-Regular.ttf", LATIN + MARKS + GREEK + SIGNS + [0x2581]),
        ("Symbols.ttf", "truetype/dejavu/DejaVuSans.ttf", SYMBOLS),
    ]:
        font = TTFont(FONTS / source)
        tabular_numerals(font)
        cut(font, characters)
        font.save(HERE / name)
        print(f"{name}: {len(font.getBestCmap())} characters, {(HERE / name).stat().st_size} bytes")


def tabular_numerals(font):
    """Maps the digits to the glyphs of the feature `tnum`."""
    gsub = font["GSUB"].table if "GSUB" in font else None
    if gsub is None:
        return
    lookups = {i for f in gsub.FeatureList.FeatureRecord if f.FeatureTag == "tnum" for i in f.Feature.LookupListIndex}
    swap = {}
    for i in lookups:
        for table in gsub.LookupList.Lookup[i].SubTable:
            swap.update(getattr(table, "ExtSubTable", table).mapping)
    for table in font["cmap"].tables:
        for digit in range(0x30, 0x3A):
            if digit in table.cmap:
                table.cmap[digit] = swap.get(table.cmap[digit], table.cmap[digit])


def cut(font, characters):
    """Keeps the characters, their kerning and their accents, and nothing else."""
    options = subset.Options()
    options.layout_features = ["kern", "mark", "ccmp"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = [0, 1, 2, 5]  # the licences lie beside the fonts
    options.name_languages = [0x409]
    options.drop_tables += ["DSIG", "FFTM", "MATH"]
    tool = subset.Subsetter(options)
    tool.populate(unicodes=characters)
    tool.subset(font)


main()
