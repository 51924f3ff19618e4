"""Turns what `./run bench` measured (bench/out/*.json) into the tables of RESULTS.md, on standard output.

A ratio is Vitrine's time over the peer's, same tokens, weights and outputs, same run of the benchmark; the target
stands beside it. Checksums must agree, or a time means nothing.
"""

import json
import sys
from pathlib import Path

MB = 1e6


def load(folder, name):
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() and path.stat().st_size else None


def lines(folder, name):
    """What a file of one JSON a line holds."""
    path = folder / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def heads(*cells):
    row(*cells)
    print("|" + "---|" * len(cells))


def compare(what, ours, theirs, target, key):
    """A line for every pair of runs that agree in `key`."""
    for run in ours["runs"]:
        peer = next((it for it in theirs["runs"] if all(it.get(k) == run.get(k) for k in key)), None)
        if peer is None:
            continue
        ratio = run["ms"] / peer["ms"]
        agree = abs(run["checksum"] / peer["checksum"] - 1) < 1e-4
        verdict = ("met" if ratio <= target else "missed") if agree else "NUMBERS DIFFER"
        label = what + (f", {run['threads']} threads" if "threads" in key else "")
        row(label, run["tokens"], f"{run['ms']:.1f} ms", f"{peer['ms']:.1f} ms", f"{ratio:.2f}", target, verdict)


def main(folder):
    native, vitrine, web = (load(folder, name) for name in ("native", "vitrine", "web"))
    heads("path", "tokens", "Vitrine", "ONNX Runtime", "ratio", "target", "")
    if native and vitrine:
        compare("native CPU", vitrine, native, 1.0, ("threads", "tokens"))
    sides = {(it.get("runtime", "").split(" ")[0], it["provider"]): it for it in web["sides"]} if web else {}
    for what, ours, theirs, target in (("browser CPU", "cpu", "wasm", 0.75), ("browser WebGPU", "gpu", "webgpu", 0.08)):
        a, b = sides.get(("vitrine", ours)), sides.get(("onnxruntime-web", theirs))
        if a and b:
            compare(what, a, b, target, ("tokens",))
            for run, small in zip(a["runs"], a["eightBits"]):
                ratio = f"{small['ms'] / run['ms']:.2f} of f32"
                row(f"{what}, weights of 8 bits", small["tokens"], f"{small['ms']:.1f} ms", "", "", "", ratio)
    print()
    heads("page", "measured", "target")
    if vitrine:
        layers = {run["dispatches_per_layer"] for run in vitrine["runs"]}
        row("dispatches a layer, all patterns kept", " and ".join(f"{it:.0f}" for it in sorted(layers)), "9")
        row("plans compiled when a word changes", max(run["compiles_when_typing"] for run in vitrine["runs"]), "0")
        row("CPU of a frame, 72 thumbnails and a map, T=128, native", f"{vitrine['frame']:.2f} ms", "4 ms")
        row("CPU of a frame, five live tiles at 1920 x 1080, native", f"{vitrine['wall']:.2f} ms", "6 ms")
    if web:
        size = web["payload"]
        row("payload before weights, brotli", f"{size['brotli'] / MB:.2f} MB", "1.8 MB")
        row("payload before weights, gzip / raw", f"{size['gzip'] / MB:.2f} / {size['raw'] / MB:.2f} MB", "")
        for side in web["sides"]:
            if "firstPicture" in side:
                row(f"first picture after navigation, {side['provider']}", f"{side['firstPicture']:.0f} ms", "1000 ms")
            if "error" in side:
                row(f"{side.get('runtime', '')} {side['provider']}", side["error"], "")
            if "normgrad" in side:
                row(f"NormGrad of EfficientNet-Lite0 at 224 x 224, {side['provider']}", f"{side['normgrad']:.2f} s", "0.3 s" if side["provider"] == "cpu" else "4 s")
    frames(load(folder, "frames"))
    training(folder)
    linear_attention(folder)
    normgrad(folder)


def frames(it):
    """How smooth the page is: gaps between frames, and what held them."""
    if not it:
        return
    longest = lambda found, what: f"{max([0, *found[what]])} ms"
    row("longest gap between frames after a letter at 512 tokens, CPU", longest(it["letter"], "gaps"), "50 ms")
    row("longest task of ours then, of those above 50 ms", longest(it["letter"], "tasks"), "")
    row("longest task of the first load", longest(it["load"], "tasks"), "100 ms")
    row("a layer of attention learns (cosine of .99) in", f"{it['learning']['seconds']} s", "10 s")
    row("longest gap between frames, longest task meanwhile", f"{longest(it['learning'], 'gaps')}, {longest(it['learning'], 'tasks')}", "50 ms")
    row("memory of the renderer with three exhibits", f"{it['memory']['private']} MB", "350 MB")


def training(folder):
    """One training step of the Fashion ViT, batch 64, beside every peer."""
    ours = next((it for it in lines(folder, "train") if it["device"].startswith("CPU")), None)
    peers = lines(folder, "train_peers")
    if not ours or not peers:
        return
    print()
    heads("a training step, batch 64, 2 threads", "Vitrine", "peer", "ratio", "target", "")
    for peer in peers:
        ratio = ours["ms"] / peer["ms"]
        verdict = "met" if ratio <= 0.2 else "missed"
        row(peer["runtime"], f"{ours['ms']:.1f} ms", f"{peer['ms']:.1f} ms", f"{ratio:.2f}", "0.2", verdict)


def linear_attention(folder):
    """The training of one layer of linear attention, one thread on each side."""
    ours, peer = load(folder, "lsa"), load(folder, "lsa_peer")
    if not ours or not peer:
        return
    print()
    heads("a step of one layer of linear attention, batch 256, 1 thread", "Vitrine", "peer", "ratio", "steps a second", "target", "")
    ratio = ours["ms"] / peer["ms"]
    # Both end at the floor of one step of gradient descent, but for what chance draws.
    agree = abs(ours["loss"] / peer["loss"] - 1) < 0.1
    verdict = ("met" if ratio <= 1.0 else "missed") if agree else "LOSSES DIFFER"
    pace = f"{ours['steps_per_second']:.0f} and {peer['steps_per_second']:.0f}"
    row(peer["runtime"], f"{ours['ms']:.2f} ms", f"{peer['ms']:.2f} ms", f"{ratio:.2f}", pace, "1.0", verdict)


def normgrad(folder):
    """The maps of all layers beside the forward pass alone, and in the page."""
    found = lines(folder, "normgrad")
    if not found:
        return
    print()
    heads("NormGrad of all layers", "device", "passes forward, back", "dispatches (forward alone)", "time (forward alone)")
    for device in found:
        for it in device["models"]:
            row(
                f"{it['model']}, {it['layers']} layers",
                device["device"],
                f"{it['forward_passes']}, {it['backward_passes']}",
                f"{it['dispatches']} ({it['dispatches_forward']})",
                f"{it['ms']:.1f} ms ({it['ms_forward']:.1f} ms)",
            )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "out"))
