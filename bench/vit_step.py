"""Times one training step of the vision transformer of src/cli/bench/vit.rs in JAX and in PyTorch, as JSON.

    taskset -c 0,1 python bench/vit_step.py      # needs jax, optax and torch
"""
import json
import math
import os
import sys
import time

THREADS = int(os.environ.get("THREADS", "2"))
B, T, PIXELS, D, H, L = 64, 50, 16, 64, 4, 6


def report(runtime, step, repeats=30):
    for _ in range(3):
        step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - start))
    times.sort()
    print(json.dumps({"runtime": runtime, "ms": times[len(times) // 2], "min": times[0], "steps": repeats}), flush=True)


def in_jax():
    import jax
    import jax.numpy as jnp
    import optax

    key = jax.random.PRNGKey(0)

    def dense(i, o):
        nonlocal key
        key, k = jax.random.split(key)
        bound = math.sqrt(1 / i)
        return {"w": jax.random.uniform(k, (i, o), minval=-bound, maxval=bound), "b": jnp.zeros(o)}

    def norm():
        return {"g": jnp.ones(D), "b": jnp.zeros(D)}

    params = {
        "embed": dense(PIXELS, D), "pos": 0.02 * jax.random.normal(key, (T, D)), "ln": norm(), "head": dense(D, 10),
        "blocks": [{"ln1": norm(), "ln2": norm(), "q": dense(D, D), "k": dense(D, D), "v": dense(D, D),
                    "o": dense(D, D), "up": dense(D, 4 * D), "down": dense(4 * D, D)} for _ in range(L)],
    }

    def linear(p, x):
        return x @ p["w"] + p["b"]

    def layer_norm(p, x):
        m = x.mean(-1, keepdims=True)
        v = ((x - m) ** 2).mean(-1, keepdims=True)
        return (x - m) * jax.lax.rsqrt(v + 1e-5) * p["g"] + p["b"]

    def loss(params, images, labels):
        x = jnp.pad(linear(params["embed"], images), ((0, 0), (1, 0), (0, 0))) + params["pos"]
        for p in params["blocks"]:
            h = layer_norm(p["ln1"], x)
            q, k, v = (linear(p[n], h).reshape(B, T, H, D // H).transpose(0, 2, 1, 3) for n in "qkv")
            a = jax.nn.softmax(q @ k.swapaxes(-1, -2) / math.sqrt(D // H))
            x = x + linear(p["o"], (a @ v).transpose(0, 2, 1, 3).reshape(B, T, D))
            x = x + linear(p["down"], jax.nn.gelu(linear(p["up"], layer_norm(p["ln2"], x)), approximate=False))
        logits = linear(params["head"], layer_norm(params["ln"], x[:, 0]))
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3, weight_decay=0.05))
    state = optimiser.init(params)
    images = jax.random.uniform(key, (B, T - 1, PIXELS))
    labels = jax.random.randint(key, (B,), 0, 10)

    @jax.jit
    def update(params, state, images, labels):
        value, grads = jax.value_and_grad(loss)(params, images, labels)
        updates, state = optimiser.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    def step():
        nonlocal params, state
        params, state, value = update(params, state, images, labels)
        value.block_until_ready()

    report(f"jax {jax.__version__}", step)


def torch_step(device="cpu"):
    """A step of training in PyTorch, eager, as a function."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(D), nn.LayerNorm(D)
            self.q, self.k, self.v, self.o = (nn.Linear(D, D) for _ in range(4))
            self.up, self.down = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

        def forward(self, x):
            h = self.ln1(x)
            q, k, v = (f(h).view(B, T, H, D // H).transpose(1, 2) for f in (self.q, self.k, self.v))
            a = (q @ k.transpose(-1, -2) / math.sqrt(D // H)).softmax(-1)
            x = x + self.o((a @ v).transpose(1, 2).reshape(B, T, D))
            return x + self.down(F.gelu(self.up(self.ln2(x))))

    class Vit(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.pos = nn.Linear(PIXELS, D), nn.Parameter(0.02 * torch.randn(T, D))
            self.blocks, self.ln, self.head = nn.Sequential(*(Block() for _ in range(L))), nn.LayerNorm(D), nn.Linear(D, 10)

        def forward(self, images):
            x = self.blocks(F.pad(self.embed(images), (0, 0, 1, 0)) + self.pos)
            return self.head(self.ln(x[:, 0]))

    model = Vit().to(device)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    images, labels = torch.rand(B, T - 1, PIXELS, device=device), torch.randint(0, 10, (B,), device=device)

    def step():
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    return step


def in_torch():
    import torch

    torch.set_num_threads(THREADS)
    report(f"torch {torch.__version__}", torch_step())


if __name__ == "__main__":
    for run in (in_jax, in_torch):
        try:
            run()
        except ImportError as missing:
            print(json.dumps({"runtime": run.__name__, "missing": str(missing)}), file=sys.stderr)
