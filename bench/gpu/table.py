"""Vitrine on a GPU beside PyTorch, as a table: what `./run gpu` measured (bench/out/*.json, gpu_peers.jsonl).

Share of peak is what a run's products take, over the time, over what torch reaches on one large product in f32 on the same device.
"""

import json
import sys
from pathlib import Path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def row(*cells):
    print("| " + " | ".join(str(it) for it in cells) + " |")


def products(tokens, d=384, layers=6):
    """Operations of MiniLM's products: four d x d, two d x 4d, and two of all pairs, in each layer."""
    return layers * 2 * tokens * (12 * d * d + 2 * tokens * d)


def main(folder):
    peers = lines(folder / "gpu_peers.jsonl")
    of = lambda what: [it for it in peers if it["what"] == what]
    peak = of("peak")[0]["gflops"]
    runs = [it for it in json.loads((folder / "vitrine.json").read_text())["runs"] if it["threads"] is None]
    on_gpu = lambda name: next((it for it in lines(folder / name) if not it["device"].startswith("CPU")), None)
    if not runs:
        sys.exit("vitrine bench found no GPU")
    print(f"Vitrine on {runs[0]['device']}; {peers[0]['runtime']} on {peers[0]['device']}, at best {peak:.0f} GFLOP/s.\n")
    row("what", "Vitrine", "PyTorch", "ratio", "dispatches", "share of peak, both")
    print("|---|---|---|---|---|---|")
    for run in runs:
        peer = next(it for it in of("minilm") if it["tokens"] == run["tokens"])
        agree = abs(run["checksum"] / peer["checksum"] - 1) < 1e-4
        ratio = f"{run['ms'] / peer['ms']:.2f}" if agree else "NUMBERS DIFFER"
        shares = " and ".join(f"{1e-6 * products(run['tokens']) / it['ms'] / peak:.1%}" for it in (run, peer))
        layers = f"{run['dispatches_per_layer']:.0f} a layer"
        row(f"MiniLM, all patterns, {run['tokens']} tokens", f"{run['ms']:.2f} ms", f"{peer['ms']:.2f} ms", ratio, layers, shares)
    train, peer = on_gpu("train.jsonl"), of("train")[0]
    row("a training step of a ViT, batch 64", f"{train['ms']:.2f} ms", f"{peer['ms']:.2f} ms", f"{train['ms'] / peer['ms']:.2f}", train["dispatches"], "")
    ours = next(it for it in on_gpu("normgrad.jsonl")["models"] if it["model"] == "efficientnet-lite0")
    peer = of("normgrad")[0]
    for what, key, dispatches in (("forward", "ms_forward", "dispatches_forward"), ("NormGrad of 8 layers", "ms", "dispatches")):
        row(f"EfficientNet-Lite0, {what}", f"{ours[key]:.2f} ms", f"{peer[key]:.2f} ms", f"{ours[key] / peer[key]:.2f}", ours[dispatches], "")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "out")
