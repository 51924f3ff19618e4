"""Makes the goldens: what ONNX Runtime and Hugging Face's tokenizers say about the real MiniLM.

    ./run weights                              # models/minilm, if it is not there
    pip install -r bench/requirements.txt
    python3 tests/golden/make.py

minilm.safetensors  `short/TAP`: every tap of a sentence of six tokens; `long/TAP`: scores, patterns, final and pooled
                    of the default sentence. `short/tokens`, `long/tokens`: the ids. Everything else is f32. Metadata:
                    the two texts, and the versions that made the file.
tokens.json         [{"name", "text", "ids", "tokens", "offsets"}] for awkward texts, by MiniLM's tokenizer.json without
                    its padding and truncation (to 128 both). What is longer than 512 ids is cut to the
                    first 511 and [SEP], as Vitrine does. Offsets count characters (Unicode scalar values).

`embed` is word + position + token type; the LayerNorm after it gives `blocks.0.resid_pre`. BERT normalises after the
sum, so resid_mid = resid_pre + attn_out and resid_post = normalized_resid_mid + mlp_out are not normalised yet.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "bench"))
import onnx_minilm  # noqa: E402

TEXTS = {
    "short": "It was tired.",
    "long": "The animal didn't cross the street because it was too tired.",
}
LONG_TAPS = (".scores", ".pattern", "final", "pooled")

AWKWARD = {
    "empty": "",
    "one space": " ",
    "whitespace": " \t\r\n  \n",
    "no-break and ideographic spaces": "a\u00a0b\u3000c\u2009d",
    "plain": TEXTS["long"],
    "capitals and accents": "Ünïcödé CAFÉ naïve Ångström ÇA",
    "combining accents": "e\u0301cole n\u0303 o\u0308",
    "sharp s and dotted i": "Straße İstanbul ıspanak",
    "ligature": "ﬁnal oﬃce",
    "Chinese": "注意力就是你所需要的一切",
    "Japanese": "注意はあなたに必要なすべてです。カタカナ",
    "Korean": "주의가 필요한 전부입니다",
    "rare ideographs": "𠀀𠮷野家",
    "Arabic and Hebrew": "مرحبا بالعالم שלום עולם",
    "Devanagari and Thai": "नमस्ते दुनिया สวัสดีชาวโลก",
    "Greek and Cyrillic": "Προσοχή είναι όλα Внимание Йод ёж",
    "emoji": "I 🖤 transformers 🤖🎉!",
    "emoji sequences": "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ☕️",
    "punctuation": "Wait... what?! (a-b_c) [x] {y} \"z\" 'q' #1 @me a/b\\c ~`^|<>",
    "typographic punctuation": "“quoted” ‘single’ – en — em … ¿qué? «oui»",
    "symbols": "$5 €6 £7 50% 1+1=2 3×4 x² ½ ™ © → ∑",
    "numbers": "3.14159 1,000,000 0x1F 2026-11-24 12:30",
    "special tokens": "[CLS] a [MASK] b [SEP] [PAD] [UNK] [mask]",
    "control characters": "a\u0000b\u0001c\u007fd\u0085e\u200bf\u200dg\ufeffh\ufffdi\u00adj",
    "line ends": "one\ntwo\r\nthree\rfour\tfive\u2028six",
    "word of 100 letters": "a" * 100,
    "word of 101 letters": "a" * 101,
    "long word": "pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism",
    "unknown word": "ꙮꙮꙮ ok",
    "address": "https://example.org/a?b=c&d=e#f mail@example.org",
    "code": "fn main() { println!(\"{}\", x as f32); }",
    "600 words": " ".join(["the quick brown fox jumps"] * 120),
    "510 tokens": " ".join(["dog"] * 510),
    "511 tokens": " ".join(["dog"] * 511),
}


def tokenizer():
    it = tokenizers.Tokenizer.from_file(str(onnx_minilm.MODEL / "tokenizer.json"))
    it.no_padding()
    it.no_truncation()
    return it


def taps(encode):
    session = onnxruntime.InferenceSession(onnx_minilm.build().SerializeToString())
    names = [output.name for output in session.get_outputs()]
    for label, text in TEXTS.items():
        tokens = np.array(encode(text).ids, "int64")
        yield f"{label}/tokens", tokens
        for name, value in zip(names, session.run(names, {"tokens": tokens})):
            if label == "short" or name.endswith(LONG_TAPS):
                yield f"{label}/{name}", value


def case(it, name, text):
    it.enable_truncation(512)
    encoding = it.encode(text)
    return {
        "name": name,
        "text": text,
        "ids": encoding.ids,
        "tokens": encoding.tokens,
        "offsets": encoding.offsets,
    }


def main():
    it = tokenizer()
    versions = {p.__name__: p.__version__ for p in (onnxruntime, tokenizers, np)}
    golden = dict(taps(it.encode))
    save_file(golden, HERE / "minilm.safetensors", {**TEXTS, **versions})
    # What the app itself holds its numbers against, on the card: patterns and final states of the short sentence.
    shown = {name.removeprefix("short/"): value for name, value in golden.items() if name.startswith("short/")}
    shown = {name: value for name, value in shown.items() if name == "final" or name.endswith("attn.pattern")}
    save_file(shown, HERE.parent.parent / "assets" / "golden" / "minilm.safetensors", {**TEXTS, **versions})
    awkward = [case(it, name, text) for name, text in AWKWARD.items()]
    lines = ",\n".join(json.dumps(it) for it in awkward)
    (HERE / "tokens.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
