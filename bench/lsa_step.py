"""Times the training of one layer of linear self-attention in JAX on one core, as JSON: the same as src/cli/bench/lsa.rs.

    taskset -c 0 python bench/lsa_step.py      # needs jax and optax

Ten weights, ten examples, batches of 256 that are drawn in every step, Adam with a rate that falls along a cosine. Everything
but the first run, which compiles, is timed; a step is one call of a compiled function whose state is given away.
"""
import json
import os
import sys
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import jax  # noqa: E402, its threads are set above
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402

D, N, B, STEPS, RANGE, LAST = 10, 10, 256, 400, 0.5, 50


def layer(p, tokens, examples):
    """e_i + P W_V sum_j e_j (W_K e_j)^T (W_Q e_i)"""
    scores = (tokens @ p["w_q"].T) @ (examples @ p["w_k"].T).swapaxes(-1, -2)
    return tokens + scores @ (examples @ p["w_v"].T @ p["p"].T)


def draw(key):
    keys = jax.random.split(key, 3)
    w = jax.random.normal(keys[0], (B, D, 1))
    x = jax.random.uniform(keys[1], (B, N, D), minval=-RANGE, maxval=RANGE)
    query = jax.random.uniform(keys[2], (B, 1, D), minval=-RANGE, maxval=RANGE)
    return x, x @ w, query, (query @ w)[:, 0, 0]


def loss(p, batch):
    x, y, query, answer = batch
    asked = jnp.pad(query, ((0, 0), (0, 0), (0, 1)))
    said = -layer(p, asked, jnp.concatenate([x, y], -1))[:, 0, D]
    return 0.5 * jnp.mean((said - answer) ** 2)


def main(repeats):
    rate = optax.cosine_decay_schedule(3e-2, STEPS, alpha=0.02)
    optimiser = optax.adam(rate, b1=0.9, b2=0.98, eps=1e-8)

    def update(p, state, key):
        key, drawn = jax.random.split(key)
        value, gradients = jax.value_and_grad(loss)(p, draw(drawn))
        updates, state = optimiser.update(gradients, state, p)
        return optax.apply_updates(p, updates), state, key, value

    update = jax.jit(update, donate_argnums=(0, 1, 2))
    times = []
    for run in range(repeats + 1):
        key, *keys = jax.random.split(jax.random.PRNGKey(run), 5)
        deviation = (0.002 / (D + 1)) ** 0.5
        p = {name: deviation * jax.random.normal(k, (D + 1, D + 1)) for name, k in zip(("p", "w_k", "w_q", "w_v"), keys)}
        state, losses = optimiser.init(p), []
        jax.block_until_ready((p, state, key))
        start = time.perf_counter()
        for _ in range(STEPS):
            p, state, key, value = update(p, state, key)
            losses.append(value)
        jax.block_until_ready(value)
        if run:
            times.append(1000 * (time.perf_counter() - start) / STEPS)
    times.sort()
    ms = times[len(times) // 2]
    print(json.dumps({
        "runtime": f"jax {jax.__version__}, optax {optax.__version__}", "ms": ms, "min": times[0], "runs": repeats, "steps": STEPS,
        "steps_per_second": 1000 / ms, "loss": float(jnp.stack(losses[-LAST:]).mean()),
    }))


main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
