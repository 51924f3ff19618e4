"""Makes regressor.safetensors: a small transformer that reads examples, with random weights, and what numpy says that it says.
Every answer is that of a text of its own, which ends with what is asked; ours reads all queries at once behind a mask.

    pip install numpy safetensors
    python3 tests/golden/regressor.py
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

D, EXAMPLES, WIDTH, HEADS, MLP, LAYERS, TASKS, AFTER = 2, 3, 8, 2, 12, 2, 2, [0, 1, 3, 3]
RANDOM = np.random.default_rng(5)


def random(*shape, scale=0.5):
    return (scale * RANDOM.standard_normal(shape)).astype(np.float32)


def weights():
    w = {"wpe.weight": random(2 * EXAMPLES + 1, WIDTH)}

    def layer(name, out, *into):
        w[f"{name}.weight"], w[f"{name}.bias"] = random(out, *into), random(out)

    layer("read_in", WIDTH, D + 2)
    for l in range(LAYERS):
        layer(f"blocks.{l}.norm1", WIDTH)
        layer(f"blocks.{l}.attn.qkv", 3 * WIDTH, WIDTH)
        layer(f"blocks.{l}.attn.proj", WIDTH, WIDTH)
        layer(f"blocks.{l}.norm2", WIDTH)
        layer(f"blocks.{l}.mlp.fc1", MLP, WIDTH)
        layer(f"blocks.{l}.mlp.fc2", WIDTH, MLP)
    layer("ln_f", WIDTH)
    layer("read_out", 1, WIDTH)
    return w


def said(w, x, y, noise, query):
    """The answer to `query` after the examples `x`, `y`, at the last of 2 n + 1 tokens."""

    def linear(h, name):
        return h @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(h, name):
        centred = h - h.mean(-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return unit * w[f"{name}.weight"] + w[f"{name}.bias"]

    tokens = []
    for point, answer in zip(x, y):
        tokens += [[*point, 0, noise], [*[0] * D, answer, noise]]
    tokens.append([*query, 0, noise])
    h = linear(np.array(tokens), "read_in") + w["wpe.weight"][: len(tokens)]
    for l in range(LAYERS):
        at = f"blocks.{l}"
        q, k, v = np.split(linear(norm(h, f"{at}.norm1"), f"{at}.attn.qkv"), 3, axis=-1)
        heads = []
        for part in np.split(np.arange(WIDTH), HEADS):
            scores = q[:, part] @ k[:, part].T / np.sqrt(len(part))
            scores[np.triu_indices(len(tokens), 1)] = -np.inf
            e = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(e / e.sum(-1, keepdims=True) @ v[:, part])
        h = h + linear(np.concatenate(heads, -1), f"{at}.attn.proj")
        m = linear(norm(h, f"{at}.norm2"), f"{at}.mlp.fc1")
        m = 0.5 * m * (1 + np.tanh(np.sqrt(2 / np.pi) * (m + 0.044715 * m**3)))
        h = h + linear(m, f"{at}.mlp.fc2")
    return linear(norm(h, "ln_f"), "read_out")[-1, 0]


def main():
    w = weights()
    wide = {name: it.astype(np.float64) for name, it in w.items()}
    x, y, noise = random(TASKS, EXAMPLES, D, scale=1), random(TASKS, EXAMPLES, scale=1), random(TASKS) ** 2
    queries = random(TASKS, len(AFTER), D, scale=1)
    one = lambda t, n, query: said(wide, x[t, :n], y[t, :n], noise[t], query)
    examples = [[one(t, n, x[t, n]) for n in range(EXAMPLES)] for t in range(TASKS)]
    asked = [[one(t, n, queries[t, i]) for i, n in enumerate(AFTER)] for t in range(TASKS)]
    inputs = {"in.x": x, "in.y": y, "in.noise": noise, "in.queries": queries}
    outputs = {"out.examples": np.array(examples, np.float32), "out.queries": np.array(asked, np.float32)}
    path = Path(__file__).resolve().parent / "regressor.safetensors"
    save_file(w | inputs | outputs, path, {"numpy": np.__version__})


main()
