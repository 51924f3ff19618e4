"""The peer on the desktop: ONNX Runtime's CPU provider on the benchmark's graph.

    python3 bench/native.py [MODEL.onnx]       # default bench/out/minilm.onnx, see onnx_minilm.py

Prints JSON: {"runtime", "runs": [{"threads", "tokens", "ms", "min", "checksum"}]}; ms is the median of a run that
delivers the last hidden state and all attention patterns. The checksum is the sum of |final|, for comparing sides.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

DEFAULT = Path(__file__).resolve().parent / "out" / "minilm.onnx"


def tokens(count):
    """Ids that every side of the benchmark uses: [CLS], then a walk through the vocabulary, then [SEP]."""
    middle = [1000 + 7919 * i % 28000 for i in range(count - 2)]
    return np.array([101, *middle, 102], "int64")


def measure(model, threads, count, repeats=30, seconds=3.0):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feed = {"tokens": tokens(count)}
    final = session.run(names, feed)[names.index("final")]
    warm = time.perf_counter() + 1.0
    while time.perf_counter() < warm:
        session.run(names, feed)
    times, end = [], time.perf_counter() + seconds
    while len(times) < repeats and time.perf_counter() < end:
        start = time.perf_counter()
        session.run(names, feed)
        times.append(1000 * (time.perf_counter() - start))
    return {
        "threads": threads,
        "tokens": count,
        "ms": round(float(np.median(times)), 3),
        "min": round(min(times), 3),
        "checksum": round(float(np.abs(final).sum()), 3),
    }


if __name__ == "__main__":
    model = sys.argv[1] if len(sys.argv) > 1 else str(DEFAULT)
    runs = [measure(model, threads, count) for threads in (1, 2) for count in (16, 32, 128, 512)]
    print(json.dumps({"runtime": f"onnxruntime {onnxruntime.__version__}", "runs": runs}, indent=1))
