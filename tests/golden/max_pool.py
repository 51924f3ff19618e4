"""Makes the goldens of max pooling and of saliency on flat ground: what PyTorch gives to the first of equal values.

    pip install torch numpy safetensors
    python3 tests/golden/max_pool.py

max_pool.safetensors  `pool.SIZE.STRIDE.x`, `.dy`, `.dx` [row, col, channel]: small whole numbers, of which many in a window
                      are equal, a cotangent of the pooled ones, and what comes back; all exact in f32.
                      `flat.picture` [row, col] (0 to 255): shapes of one grey each on black; `flat.class`: the likeliest one, by
                      the network in assets/models/collage-cnn, which is computed here in f64; `flat.logits`;
                      `flat.image`: the gradient at the image; `flat.stages.S.I`: |x| |g| at every layer, [row, col]
"""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "assets" / "models" / "collage-cnn"


def pools(golden):
    random = np.random.default_rng(1)
    for size, stride, shape in [(2, 2, (6, 8, 3)), (3, 2, (7, 5, 2)), (3, 1, (5, 7, 1)), (2, 3, (8, 5, 2))]:
        x = random.integers(0, 3, shape).astype(np.float32)
        leaf = torch.tensor(x).permute(2, 0, 1)[None].requires_grad_()
        y = torch.nn.functional.max_pool2d(leaf, size, stride)
        dy = random.integers(1, 9, (y.shape[2], y.shape[3], shape[2])).astype(np.float32)
        y.backward(torch.tensor(dy).permute(2, 0, 1)[None])
        name = f"pool.{size}.{stride}"
        dx = leaf.grad[0].permute(1, 2, 0)
        golden |= {f"{name}.x": x, f"{name}.dy": dy, f"{name}.dx": np.ascontiguousarray(dx)}


def picture():
    """Two boxes and a bar, each of one grey."""
    flat = np.zeros((56, 56), np.uint8)
    flat[4:24, 6:22], flat[30:50, 34:52], flat[33:39, 3:27] = 255, 128, 200
    return flat


def logits_of(x, weights, depth, layers):
    """The network of src/models/cnn.rs; `layers` takes every activation after its ReLU."""
    stages = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("stages"))
    for s in range(stages):
        x = torch.nn.functional.max_pool2d(x, 2, 2) if s else x
        for i in range(depth):
            at = f"stages.{s}.{i}"
            kernel = weights[f"{at}.weight"].permute(3, 2, 0, 1)
            x = torch.relu(torch.nn.functional.conv2d(x, kernel, weights[f"{at}.bias"], padding=1))
            x.retain_grad()
            layers[at] = x
    return x.mean((2, 3)) @ weights["head.weight"].T + weights["head.bias"]


def flat_ground(golden):
    weights = {name: torch.tensor(it).double() for name, it in load_file(MODEL / "model.safetensors").items()}
    depth = json.loads((MODEL / "config.json").read_text())["depth"]
    pixels, layers = picture(), {}
    x = ((torch.tensor(pixels).double() / 255 - 0.5) / 0.5)[None, None].requires_grad_()
    logits = logits_of(x, weights, depth, layers)[0]
    wanted = int(logits.argmax())
    logits[wanted].backward()
    golden |= {"flat.picture": pixels.astype(np.float16), "flat.class": np.array([wanted], np.float32)}
    numbers = {"logits": logits, "image": x.grad[0, 0]}
    numbers |= {at: it[0].norm(dim=0) * it.grad[0].norm(dim=0) for at, it in layers.items()}
    golden |= {f"flat.{name}": it.detach().float().numpy() for name, it in numbers.items()}


def main():
    golden = {}
    pools(golden)
    flat_ground(golden)
    save_file(golden, HERE / "max_pool.safetensors", {"torch": torch.__version__})


if __name__ == "__main__":
    main()
