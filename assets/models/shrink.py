"""Makes of a model's weights in f32 a file of 8 bits, or of 16: a quarter of the download, or half.

    ./run weights      # makes models/minilm-8bit, or by hand:
    pip install numpy safetensors
    python3 assets/models/shrink.py MODEL_FOLDER OUT_FOLDER [BITS]

With 8 bits every row of a matrix lies on 255 steps around zero, as wide as its largest element allows: the tensor NAME holds
whole numbers from -127 to 127, NAME_scale what each row is multiplied by (f32), as in files of compressed-tensors. Vectors
stay f32. With 16 bits every tensor is f16. What holds no real numbers (position ids) is left out.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file


def eight_bits(name, x):
    if x.ndim != 2:
        return {name: x}
    scale = np.abs(x).max(axis=1) / np.float32(127)
    step = np.where(scale > 0, scale, np.float32(1))  # a row of zeros has no scale
    return {name: np.rint(x / step[:, None]).astype(np.int8), f"{name}_scale": scale}


def main(source, out, bits="8"):
    source, out = Path(source), Path(out)
    tensors = load_file(source / "model.safetensors")
    small = {}
    for name, x in tensors.items():
        if np.issubdtype(x.dtype, np.floating):
            small |= eight_bits(name, x.astype(np.float32)) if bits == "8" else {name: x.astype(np.float16)}
    out.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.json"):
        shutil.copy(file, out)
    save_file(small, out / "model.safetensors.part")
    (out / "model.safetensors.part").chmod(0o644)
    (out / "model.safetensors.part").rename(out / "model.safetensors")  # it says that all is there


main(*sys.argv[1:])
