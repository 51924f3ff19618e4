"""Makes the goldens of ViTs whose attention a field bends, and of RetNet: what numpy computes in f64 with the formulas of the
papers, written as plainly as can be, with weights at which every part matters.

    pip install numpy safetensors
    python3 tests/golden/field_models.py

field_models.safetensors  `CASE/weights/NAME`, `CASE/in` and, by the names of taps, `CASE/out/NAME`, all f32. Metadata: `CASE` is
                          the model's config.json.
"""

import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
TENSORS, ABOUT = {}, {"numpy": np.__version__}
CHANCE = np.random.default_rng(0)


class Weights(dict):
    """Drawn when first asked for, as f32 numbers held in f64, so that both programs begin with the same."""

    def draw(self, name, *shape, centre=0.0, size=0.4):
        if name not in self:
            self[name] = (centre + size * CHANCE.standard_normal(shape)).astype(np.float32).astype(np.float64)
        return self[name]

    def linear(self, name, x, outputs, bias=True):
        y = x @ self.draw(f"{name}.weight", outputs, x.shape[-1]).T
        return y + self.draw(f"{name}.bias", outputs) if bias else y


def case(name, config, weights, given, outputs):
    ABOUT[name] = json.dumps(config)
    for kind, tensors in (("weights/", weights), ("", {"in": given}), ("out/", outputs)):
        for key, value in tensors.items():
            TENSORS[f"{name}/{kind}{key}"] = np.ascontiguousarray(value, np.float32)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


# A ViT on one picture of 8 x 8 pixels in patches of 2: 4 x 4 places.
SIDE, PATCH, D, HEADS, D_MLP, LAYERS, CLASSES, EPS = 4, 2, 12, 3, 10, 2, 5, 1e-5
N, D_HEAD = SIDE * SIDE, D // HEADS
PLACES = [(i // SIDE, i % SIDE) for i in range(N)]


def layer_norm(w, name, x):
    gain, bias = w.draw(f"{name}.weight", D, centre=1.0), w.draw(f"{name}.bias", D)
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * gain + bias


def straight(p, q):
    return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2


def steps(p, q):
    return abs(p[0] - q[0]) + abs(p[1] - q[1])


def field(w, kind, l, h):
    """The field of head h as a function of two places, and whether it multiplies scores or is added."""
    if kind == "gaussian":
        alpha = w.draw(f"blocks.{l}.attn.alpha", 3, HEADS, size=1.0)
        sigma = w.draw(f"blocks.{l}.attn.sigma", 3, HEADS, size=2.0)
        parts = list(zip(alpha[:, h], sigma[:, h]))
        return lambda i, j: sum(a * math.exp(-straight(PLACES[i], PLACES[j]) / (2 * (s * s + 1e-5))) for a, s in parts), True
    if kind == "elementwise":
        mask = w.draw(f"blocks.{l}.attn.mask", N, N, size=1.0)
        return lambda i, j: mask[i, j], True
    gamma = 1 - 2 ** -(2 + 4 * h / HEADS)
    return lambda i, j: steps(PLACES[i], PLACES[j]) * math.log(gamma), False


def attention(w, kind, l, x, out):
    qkv = w.linear(f"blocks.{l}.attn.qkv", x, 3 * D)
    z, patterns, masks = np.zeros((N, D)), [], []
    for h in range(HEADS):
        q, k, v = (qkv[:, part * D + h * D_HEAD :][:, :D_HEAD] for part in range(3))
        scores = q @ k.T / math.sqrt(D_HEAD)
        own = slice(h * D_HEAD, (h + 1) * D_HEAD)
        f, multiplies = field(w, kind, l, h)
        mask = np.array([[f(i, j) for j in range(N)] for i in range(N)])
        if kind == "manhattan-decomposed":
            # A place sees its row, in what it saw there everybody sees their column.
            for axis in (1, 0):
                other = 1 - axis
                mixed = np.zeros_like(v)
                for i in range(N):
                    seen = [j for j in range(N) if PLACES[j][other] == PLACES[i][other]]
                    mixed[i] = softmax(np.array([scores[i, j] + mask[i, j] for j in seen])) @ v[seen]
                v = mixed
            z[:, own] = v
            continue
        masks.append(mask)
        patterns.append(softmax(scores * mask if multiplies else scores + mask))
        z[:, own] = patterns[-1] @ v
    if patterns:
        out[f"blocks.{l}.attn.mask"] = masks[0] if kind == "elementwise" else np.stack(masks)
        out[f"blocks.{l}.attn.pattern"] = np.stack(patterns)
    return w.linear(f"blocks.{l}.attn.proj", z, D)


def vit(kind):
    w, out = Weights(), {}
    picture = CHANCE.standard_normal((SIDE * PATCH, SIDE * PATCH, 1)).astype(np.float32).astype(np.float64)
    kernel, bias = w.draw("patch_embed.proj.weight", D, 1, PATCH, PATCH), w.draw("patch_embed.proj.bias", D)
    x = np.zeros((N, D))
    for i, (row, col) in enumerate(PLACES):
        patch = picture[row * PATCH :, col * PATCH :, 0][:PATCH, :PATCH]
        x[i] = (kernel[:, 0] * patch).sum((1, 2)) + bias
    x = x + w.draw("pos_embed", 1, N, D)[0]
    for l in range(LAYERS):
        x = x + attention(w, kind, l, layer_norm(w, f"blocks.{l}.norm1", x), out)
        hidden = gelu(w.linear(f"blocks.{l}.mlp.fc1", layer_norm(w, f"blocks.{l}.norm2", x), D_MLP))
        x = x + w.linear(f"blocks.{l}.mlp.fc2", hidden, D)
        out[f"blocks.{l}.resid_post"] = x
    out["logits"] = w.linear("head", layer_norm(w, "norm", x).mean(0), CLASSES)
    config = {
        "model_type": "vitrine-field-vit", "image_size": SIDE * PATCH, "patch_size": PATCH, "num_channels": 1,
        "hidden_size": D, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": D_MLP,
        "layer_norm_eps": EPS, "hidden_act": "gelu", "global_pool": "avg", "num_labels": CLASSES,
        "image_mean": [0.5], "image_std": [0.5], "attention_field": kind, "attention_components": 3,
    }
    case(kind, config, w, picture, out)


def retnet():
    """In the recurrent form: a state of each head, and rotation as multiplication by complex numbers."""
    vocabulary, outputs, d, d_value, heads, d_mlp, layers, length, first, eps = 9, 7, 16, 12, 2, 10, 2, 11, 1.5, 1e-5
    d_head = d // heads
    w, out = Weights(), {}
    rms = lambda x: x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    norm = lambda name, x: rms(x) * w.draw(f"{name}.weight", d, centre=1.0)
    swish = lambda x: x / (1 + np.exp(-x))
    theta = 10000.0 ** -np.linspace(0, 1, d_head // 2)
    turned = lambda x, n: (x[0::2] + 1j * x[1::2]) * np.exp(1j * n * theta)
    ids = CHANCE.integers(0, vocabulary, length)
    x = w.draw("embed.weight", vocabulary, d, size=1.0)[ids]
    for l in range(layers):
        at = f"blocks.{l}"
        normed = norm(f"{at}.norm1", x)
        q, k = (w.linear(f"{at}.attn.{name}", normed, d, bias=False) for name in "qk")
        v, gate = (w.linear(f"{at}.attn.{name}", normed, d_value, bias=False) for name in ("v", "gate"))
        z = np.zeros((heads, length, d_value // heads))
        for h in range(heads):
            gamma = 1 - 2.0 ** (-first - h)
            state = np.zeros((d_head // 2, d_value // heads), complex)
            for n in range(length):
                part = lambda x, width: x[n, h * width : (h + 1) * width]
                key = turned(part(k, d_head), n) / math.sqrt(d_head)
                state = gamma * state + np.outer(key.conj(), part(v, d_value // heads))
                z[h, n] = (turned(part(q, d_head), n) @ state).real
        out[f"{at}.attn.z"] = z
        y = np.concatenate(list(rms(z)), -1)
        x = x + w.linear(f"{at}.attn.proj", swish(gate) * y, d, bias=False)
        normed = norm(f"{at}.norm2", x)
        hidden = swish(w.linear(f"{at}.mlp.gate", normed, d_mlp, bias=False))
        hidden = hidden * w.linear(f"{at}.mlp.fc1", normed, d_mlp, bias=False)
        x = x + w.linear(f"{at}.mlp.fc2", hidden, d, bias=False)
        out[f"{at}.resid_post"] = x
    out["logits"] = w.linear("head", norm("norm", x), outputs, bias=False)
    config = {
        "model_type": "vitrine-retnet", "vocab_size": vocabulary, "num_outputs": outputs,
        "max_position_embeddings": length, "hidden_size": d, "value_size": d_value, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": d_mlp, "rms_norm_eps": eps, "first_decay": first,
    }
    case("retnet", config, w, ids, out)


for kind in ("gaussian", "elementwise", "manhattan", "manhattan-decomposed"):
    vit(kind)
retnet()
save_file(TENSORS, HERE / "field_models.safetensors", ABOUT)
