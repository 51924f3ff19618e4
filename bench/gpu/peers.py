"""What PyTorch takes for what `vitrine bench` times on a GPU: MiniLM with all patterns, a training step of a ViT, and NormGrad of
EfficientNet-Lite0, all eager, in f32, results delivered to the host. Prints a line of JSON for each.

    python bench/gpu/peers.py [cuda|cpu]      # needs models/ (./run weights) and torch
"""

import json
import math
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench")]
from vit_step import torch_step  # noqa: E402

DEVICE = torch.device(sys.argv[1] if len(sys.argv) > 1 else "cuda")
# As in the table of src/models/efficientnet.rs: blocks, kernel, stride, widening, channels.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]


def tokens(count):
    """The ids of bench/native.py."""
    return torch.tensor([101, *(1000 + 7919 * i % 28000 for i in range(count - 2)), 102])


def wait():
    if DEVICE.type != "cpu":
        getattr(torch, DEVICE.type).synchronize()


def median(run, repeats=30, seconds=3.0):
    """Milliseconds of the middle run, after a second of others."""
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        run()
    wait()
    times, end = [], time.perf_counter() + seconds
    while not times or len(times) < repeats and time.perf_counter() < end:
        start = time.perf_counter()
        run()
        wait()
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)[len(times) // 2]


def weights(name):
    return {key: it.to(DEVICE, torch.float32) for key, it in load_file(ROOT / "models" / name / "model.safetensors").items()}


def minilm():
    """all-MiniLM-L6-v2 as its paper's authors wrote BERT: last states and six layers of patterns."""
    w, layers, heads, d = weights("minilm"), 6, 12, 384

    def linear(x, at):
        return F.linear(x, w[f"{at}.weight"], w[f"{at}.bias"])

    def norm(x, at):
        return F.layer_norm(x, (d,), w[f"{at}.weight"], w[f"{at}.bias"], 1e-12)

    def run(ids):
        at = "embeddings"
        x = w[f"{at}.word_embeddings.weight"][ids] + w[f"{at}.position_embeddings.weight"][: len(ids)]
        x = norm(x + w[f"{at}.token_type_embeddings.weight"][0], f"{at}.LayerNorm")
        patterns = []
        for i in range(layers):
            at = f"encoder.layer.{i}"
            q, k, v = (linear(x, f"{at}.attention.self.{it}").view(-1, heads, d // heads).transpose(0, 1) for it in ("query", "key", "value"))
            patterns.append((q @ k.transpose(1, 2) / math.sqrt(d // heads)).softmax(-1))
            z = (patterns[-1] @ v).transpose(0, 1).reshape(-1, d)
            x = norm(x + linear(z, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
            wide = F.gelu(linear(x, f"{at}.intermediate.dense"))
            x = norm(x + linear(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        return x.cpu(), [it.cpu() for it in patterns]

    with torch.no_grad():
        for count in (32, 128, 512):
            ids = tokens(count).to(DEVICE)
            checksum = run(ids)[0].abs().double().sum().item()
            yield {"what": "minilm", "tokens": count, "ms": median(lambda: run(ids)), "checksum": checksum}


def efficientnet():
    """NormGrad of the seven stages and the head: |x| |dx| of the likeliest class, to the host."""
    w = weights("efficientnet-lite0")

    def kernel(at, groups):
        it = w[f"{at}.weight"]
        return (it.permute(2, 0, 1)[:, None] if groups > 1 else it.permute(3, 2, 0, 1)).contiguous()

    kernels = {at[: -len(".weight")]: kernel(at[: -len(".weight")], it.shape[-1] if it.dim() == 3 else 1)
               for at, it in w.items() if at.endswith(".weight") and it.dim() > 2}

    def conv(x, at, stride=1):
        it = kernels[at]
        groups, size = (x.shape[1], it.shape[-1]) if at.endswith("depthwise") else (1, it.shape[-1])
        more = max((math.ceil(x.shape[-1] / stride) - 1) * stride + size - x.shape[-1], 0)
        x = F.pad(x, (more // 2, more - more // 2) * 2)
        return F.conv2d(x, it, w[f"{at}.bias"], stride, groups=groups)

    def forward(image):
        x, at, maps, inputs = F.relu6(conv(image, "stem", 2)), 0, [], 32
        for blocks, _, stride, widening, outputs in STAGES:
            for i in range(blocks):
                wide = F.relu6(conv(x, f"blocks.{at}.expand")) if widening > 1 else x
                seen = F.relu6(conv(wide, f"blocks.{at}.depthwise", stride if i == 0 else 1))
                narrow = conv(seen, f"blocks.{at}.project")
                x = x + narrow if (i > 0 or stride == 1) and inputs == outputs else narrow
                inputs, at = outputs, at + 1
            maps.append(x)
        maps.append(F.relu6(conv(x, "head")))
        return F.linear(maps[-1].mean((2, 3)), w["classifier.weight"], w["classifier.bias"]), maps

    image = torch.rand(1, 3, 224, 224, device=DEVICE)

    def alone():
        with torch.no_grad():
            return forward(image)[0].cpu()

    def all_maps():
        image.requires_grad_(True)
        logits, maps = forward(image)
        grads = torch.autograd.grad(logits.max(), [*maps, image])
        return [(x.norm(dim=1) * dx.norm(dim=1)).detach().cpu() for x, dx in zip(maps, grads)]

    yield {"what": "normgrad", "model": "efficientnet-lite0", "ms": median(all_maps), "ms_forward": median(alone)}


def vit():
    yield {"what": "train", "ms": median(torch_step(DEVICE))}


def peak():
    """What the device reaches at best: a product of two large matrices in f32, without tensor cores."""
    n = 1024 if DEVICE.type == "cpu" else 8192
    a, b = torch.rand(n, n, device=DEVICE), torch.rand(n, n, device=DEVICE)
    yield {"what": "peak", "gflops": 2e-6 * n**3 / median(lambda: a @ b, 10)}


if __name__ == "__main__":
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else DEVICE.type
    for part in (minilm, vit, efficientnet, peak):
        for line in part():
            print(json.dumps({"runtime": f"torch {torch.__version__}, eager", "device": name, **line}), flush=True)
