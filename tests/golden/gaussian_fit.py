"""Makes the golden of `vitrine run gaussian-fit`: numpy in f64, with every width found by bisection and shared out until nothing
moves any more, where ours takes single steps of Newton's method.

    pip install numpy safetensors
    python3 tests/golden/gaussian_fit.py

gaussian_fit.safetensors  as mechanisms.safetensors is, see mechanisms.py; the version in the metadata is numpy's.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
TENSORS, ABOUT = {}, {"numpy": np.__version__}
RANDOM = np.random.default_rng(5)


def distances(height, width):
    places = np.array([[i // width, i % width] for i in range(height * width)], np.float64)
    return ((places[:, None] - places[None]) ** 2).sum(-1)


def gaussian(squared, sigma):
    p = np.exp(-squared / (2 * sigma**2))
    return p / p.sum(1, keepdims=True)


def width(squared, got):
    """The sigma at which the mean squared distance of a Gaussian is that of what it got, query by query."""
    wanted, low, high = (got * squared).sum(), 0.1, 50.0
    for _ in range(100):
        middle = (low * high) ** 0.5
        mean = (got.sum(1) * (gaussian(squared, middle) * squared).sum(1)).sum()
        low, high = (middle, high) if mean < wanted else (low, middle)
    return (low * high) ** 0.5


def fit(a, squared, sigmas):
    shares = np.ones(len(sigmas)) / len(sigmas)
    while True:
        parts = np.array([s * gaussian(squared, sigma) for s, sigma in zip(shares, sigmas)])
        got = a * parts / parts.sum(0)
        before, shares = shares, got.sum((1, 2)) / len(a)
        sigmas = np.array([width(squared, it) for it in got])
        if np.abs(shares - before).max() < 1e-14:
            break
    p = sum(s * gaussian(squared, sigma) for s, sigma in zip(shares, sigmas))
    return shares, sigmas, p, (a * np.log(a / p)).sum(1).mean()


def main():
    for name, (height, width_), mixtures, steps in [
        ("gaussian-fit", (7, 7), [[(0.7, 0.8), (0.3, 3.0)], [(0.4, 0.6), (0.6, 2.2)]], 400),
        ("gaussian-fit-one", (4, 6), [[(1.0, 1.5)], [(1.0, 0.7)], [(1.0, 2.0)]], 40),
    ]:
        squared = distances(height, width_)
        n, components = len(squared), len(mixtures[0])
        pattern = []
        for mixture in mixtures:
            p = sum(share * gaussian(squared, sigma) for share, sigma in mixture)
            pattern.append(p * np.exp(0.2 * RANDOM.standard_normal((n, n))))
        given = np.array(pattern, np.float32)
        fits = []
        for a, mixture in zip(given.astype(np.float64), mixtures):
            fits.append(fit(a / a.sum(1, keepdims=True), squared, [sigma for _, sigma in mixture]))
        share, sigma, fitted, residual = (np.array([it[i] for it in fits]) for i in range(4))
        call = f"gaussian-fit height={height} width={width_} components={components} steps={steps}"
        outputs = {"share": share.T, "sigma": sigma.T, "fitted": fitted, "residual": residual}
        ABOUT[name] = call
        TENSORS[f"{name}/in/pattern"] = given
        for key, value in outputs.items():
            TENSORS[f"{name}/out/{key}"] = np.ascontiguousarray(value, np.float32)
        print(name, share.round(4).tolist(), sigma.round(4).tolist(), residual.round(5).tolist())
    save_file(TENSORS, HERE / "gaussian_fit.safetensors", ABOUT)


if __name__ == "__main__":
    main()
