"""Makes the goldens of `vitrine run` for what is learnt in context: what numpy computes in f64, token by token and with the
densities written out, where ours takes whole matrices or one example after the other.

    pip install numpy safetensors
    python3 tests/golden/in_context.py

in_context.safetensors  as mechanisms.safetensors is, see mechanisms.py; the version in the metadata is numpy's.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
TENSORS, ABOUT = {}, {"numpy": np.__version__}
RANDOM = np.random.default_rng(11)


def case(name, call, inputs, outputs):
    """`inputs` are f32 numbers held in f64, so that both programs begin with the same."""
    ABOUT[name] = call
    for kind, tensors in (("in", inputs), ("out", outputs)):
        for key, value in tensors.items():
            TENSORS[f"{name}/{kind}/{key}"] = np.array(value, np.float32, order="C")


def random(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32).astype(np.float64)


def prompt(tasks, n, d, w0):
    given = {"x": random(tasks, n, d), "y": random(tasks, n), "query": random(tasks, d)}
    return {**given, "w0": random(d)} if w0 else given


def linear_self_attention(given, eta, layers, gamma):
    """One task: every token asks every example, as the paper writes the layer."""
    x, y, query, w0 = given
    n, d = x.shape
    w_k = np.diag([1.0] * d + [0.0])
    w_v = np.zeros((d + 1, d + 1))
    w_v[d, :d], w_v[d, d] = w0, -1
    p = np.eye(d + 1) * eta / n
    if gamma:
        w_v[:d, :d] = np.eye(d)
        p[:d, :d] = -gamma * np.eye(d)
    tokens = [np.append(x[i], y[i]) for i in range(n)] + [np.append(query, -w0 @ query)]
    after = []
    for _ in range(layers):
        examples = tokens[:n]
        tokens = [e + p @ sum((w_v @ k) * ((w_k @ k) @ (w_k @ e)) for k in examples) for e in tokens]
        after.append([e[d] for e in tokens[:n]])
    return -tokens[n][d], np.array(after)


def layers():
    for name, call, (tasks, n, d), w0, eta, layers, gamma in [
        ("lsa", "lsa-step eta=0.7", (3, 5, 4), True, 0.7, 1, 0.0),
        ("lsa-deep", "lsa-step eta=0.3 layers=5", (2, 7, 3), True, 0.3, 5, 0.0),
        ("lsa-zero", "lsa-step layers=2", (2, 3, 5), False, 0.1, 2, 0.0),
        ("lsa-gdpp", "lsa-step eta=0.4 layers=3 gamma=0.02", (2, 6, 4), False, 0.4, 3, 0.02),
        ("lsa-one", "lsa-step eta=-2", (1, 1, 1), True, -2.0, 1, 0.0),
    ]:
        given = prompt(tasks, n, d, w0)
        start = given.get("w0", np.zeros(d))
        tasks = [(given["x"][t], given["y"][t], given["query"][t], start) for t in range(tasks)]
        both = [linear_self_attention(it, eta, layers, gamma) for it in tasks]
        case(name, call, given, {"prediction": [it[0] for it in both], "y_after": [it[1] for it in both]})


def descent():
    for name, call, (tasks, n, d), w0, eta, steps in [
        ("gd", "gd eta=0.7", (3, 5, 4), True, 0.7, 1),
        ("gd-far", "gd eta=0.3 steps=6", (2, 7, 3), True, 0.3, 6),
        ("gd-zero", "gd steps=2", (2, 3, 5), False, 0.1, 2),
    ]:
        given = prompt(tasks, n, d, w0)
        path = np.zeros((tasks, steps, d))
        for t in range(tasks):
            w = given.get("w0", np.zeros(d)).copy()
            for k in range(steps):
                x, y = given["x"][t], given["y"][t]
                w = w - eta * sum((w @ x[j] - y[j]) * x[j] for j in range(n)) / n
                path[t, k] = w
        case(name, call, given, {"prediction": (path[:, -1] * given["query"]).sum(-1), "w": path})


def ridge():
    for name, call, (tasks, n, d), weight in [
        ("ridge", "ridge", (3, 7, 4), 1.0),
        ("ridge-wide", "ridge lambda=0.25", (2, 3, 6), 0.25),
        ("least-squares", "ridge lambda=0", (2, 9, 3), 0.0),
        ("least-norm", "ridge lambda=0", (2, 3, 8), 0.0),
    ]:
        given = prompt(tasks, n, d, False)
        w = []
        for x, y in zip(given["x"], given["y"]):
            # The examples that lambda stands for: sqrt(lambda) I with answers of 0. `lstsq` works on singular values.
            x, y = np.vstack([x, np.sqrt(weight) * np.eye(d)]), np.append(y, np.zeros(d))
            w.append(np.linalg.lstsq(x, y, rcond=None)[0])
        case(name, call, given, {"prediction": (w * given["query"]).sum(-1), "w": w})


def covariance(d):
    a = random(d, d + 2)
    return (a @ a.T / d).astype(np.float32).astype(np.float64)


def optimum():
    for name, d, n in [("optimum", 5, 7), ("optimum-one", 1, 1)]:
        given = covariance(d)
        gamma = (1 + 1 / n) * given + np.trace(given) / n * np.eye(d)
        case(name, f"lsa-optimum n={n}", {"covariance": given}, {"gamma_inverse": np.linalg.inv(gamma)})


def mixture():
    """Densities of all answers at once, `N(y; X m, X S X^T + s^2 I)`, and the mean of a Gaussian given others."""
    for name, noise, (tasks, k, n, d) in [("mixture", 0.5, (3, 3, 4, 3)), ("mixture-long", 1.0, (2, 2, 9, 2))]:
        mean, spread = random(k, d), np.stack([covariance(d) for _ in range(k)])
        weight = np.abs(random(k))
        given = prompt(tasks, n, d, False)
        predictions, posteriors = [], []
        for x, y, query in zip(given["x"], given["y"], given["query"]):
            log, each = [], []
            for m, s, p in zip(mean, spread, weight):
                total, off = x @ s @ x.T + noise**2 * np.eye(n), y - x @ m
                pulled = np.linalg.solve(total, off)
                log.append(np.log(p) - 0.5 * (off @ pulled + np.linalg.slogdet(total)[1]))
                each.append(query @ (m + s @ x.T @ pulled))
            posterior = np.exp(log - np.max(log))
            posteriors.append(posterior / posterior.sum())
            predictions.append(posteriors[-1] @ each)
        given |= {"mean": mean, "covariance": spread, "weight": weight}
        case(name, f"bayes-mixture noise={noise}", given, {"prediction": predictions, "posterior": posteriors})


def merged():
    """`f(E)` as the paper writes it, with prompts as columns."""
    for name, call, (tasks, pos, channels), rho in [
        ("merged", "lsa-merged", (3, 6, 4), 5),
        ("merged-rho", "lsa-merged rho=9", (2, 4, 3), 9),
        ("merged-one", "lsa-merged", (2, 1, 1), 1),
    ]:
        given = {"tokens": random(tasks, pos, channels), "kq": random(channels, channels), "pv": random(channels, channels)}
        after = []
        for tokens in given["tokens"]:
            e = tokens.T
            after.append((e + given["pv"] @ e @ (e.T @ given["kq"] @ e) / rho).T)
        case(name, call, given, {"tokens_after": after, "prediction": [it[-1, -1] for it in after]})


def distances():
    """Differences of answers, and of the weights that `lstsq` finds behind them: by singular values, not by their squares."""
    for name, (tasks, queries, d) in [("apart", (4, 9, 3)), ("apart-one", (1, 2, 1)), ("apart-many", (5, 40, 4))]:
        x, a, b = random(tasks, queries, d), random(tasks, queries), random(tasks, queries)
        each = ((a - b) ** 2).mean(-1)
        case(f"answers-{name}", "spd", {"a": a, "b": b}, {"each": each, "distance": each.mean()})
        out = {}
        for who, said in [("a", a), ("b", b)]:
            w = np.stack([np.linalg.lstsq(x[t], said[t], rcond=None)[0] for t in range(tasks)])
            out[f"w_{who}"], out[f"left_{who}"] = w, ((said - (x @ w[..., None])[..., 0]) ** 2).mean(-1)
        out["distance"] = ((out["w_a"] - out["w_b"]) ** 2).sum(-1).mean()
        case(f"weights-{name}", "ilwd", {"x": x, "a": a, "b": b}, out)


def main():
    for part in [layers, descent, ridge, optimum, mixture, merged, distances]:
        part()
    save_file(TENSORS, HERE / "in_context.safetensors", ABOUT)


if __name__ == "__main__":
    main()
