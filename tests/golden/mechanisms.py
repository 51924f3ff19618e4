"""Makes the goldens of `vitrine run`: what PyTorch computes in f64 with the formulas of the papers, written as plainly as
can be.

    pip install torch safetensors
    python3 tests/golden/mechanisms.py

mechanisms.safetensors  `CASE/in/NAME` and `CASE/out/NAME`, all f32. Metadata: `CASE` says which mechanism with which
                        settings (`attention causal=true`), and the versions that made the file.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
TENSORS, ABOUT = {}, {"torch": torch.__version__}


def case(name, call, inputs, outputs):
    """`inputs` are f32 numbers held in f64, so that both programs begin with the same."""
    ABOUT[name] = call
    for kind, tensors in (("in", inputs), ("out", outputs)):
        for key, value in tensors.items():
            TENSORS[f"{name}/{kind}/{key}"] = value.detach().float().contiguous().clone()


def random(*shape):
    return torch.randn(*shape).double()


def attention():
    for name, call, (h, t, d, e), causal, scale in [
        ("attention", "attention", (2, 7, 5, 5), False, None),
        ("attention-causal", "attention causal=true", (3, 6, 4, 9), True, None),
        ("attention-scale", "attention scale=0.3 causal=false", (1, 13, 8, 3), False, 0.3),
        ("attention-one", "attention causal=true", (1, 1, 1, 1), True, None),
    ]:
        q, k, v = random(h, t, d), random(h, t, d), random(h, t, e)
        z = F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale)
        # The pattern is what attention does to the unit vectors.
        units = torch.eye(t).double().expand(h, t, t)
        pattern = F.scaled_dot_product_attention(q, k, units, is_causal=causal, scale=scale)
        case(name, call, {"q": q, "k": k, "v": v}, {"pattern": pattern, "z": z})


def through_layers():
    patterns = random(3, 4, 6, 6).float().softmax(-1).double()
    gradients = random(3, 4, 6, 6)
    rolled, rolling = [], torch.eye(6).double()
    followed, following = [], torch.eye(6).double()
    for a, g in zip(patterns, gradients):
        rolling = (0.5 * a.mean(0) + 0.5 * torch.eye(6).double()) @ rolling
        rolled.append(rolling)
        following = following + (a * g).clamp(min=0).mean(0) @ following
        followed.append(following)
    case("rollout", "rollout", {"patterns": patterns}, {"rollout": torch.stack(rolled)})
    case("relevance", "relevance", {"patterns": patterns, "gradients": gradients}, {"relevance": torch.stack(followed)})


def contributions(x, g, identity):
    """What each place adds to the gradient of the identity layer, `[row, col, ..]`; their sum is held against autograd."""
    h, w, c = x.shape
    image = x.permute(2, 0, 1)[None]  # [1, channel, row, col]
    windows = F.unfold(image, 3, padding=1).reshape(c, 9, h, w).permute(2, 3, 0, 1)  # [row, col, channel, 9]
    near = {"conv1x1": x[..., None], "conv3x3": windows, "depthwise3x3": windows}
    if identity == "bias":
        return g
    if identity == "scaling":
        return x * g
    if identity == "depthwise3x3":
        made, weight, groups = windows * g[..., None], torch.zeros(c, 1, 3, 3), c
    else:
        made = torch.einsum("hwo,hwik->hwoik", g, near[identity])
        side = 1 if identity == "conv1x1" else 3
        weight, groups = torch.zeros(c, c, side, side), 1
    weight = weight.double().requires_grad_()
    y = F.conv2d(image, weight, padding=weight.shape[-1] // 2, groups=groups)
    (y * g.permute(2, 0, 1)).sum().backward()
    assert torch.allclose(made.sum((0, 1)).flatten(), weight.grad.flatten())
    return made


def maps():
    x, g = random(4, 5, 3), random(4, 5, 3)
    aggregates = {
        "norm": lambda c: c.norm(dim=-1),
        "selective": lambda c: c.clamp(min=0).norm(dim=-1),
        "sum": lambda c: c.sum(-1),
        "max": lambda c: c.amax(-1),
    }
    for identity in ["bias", "scaling", "conv1x1", "conv3x3", "depthwise3x3"]:
        for aggregate, f in aggregates.items():
            map = f(contributions(x, g, identity).flatten(2))
            call = f"normgrad identity={identity} aggregate={aggregate}"
            case(f"normgrad-{identity}-{aggregate}", call, {"x": x, "g": g}, {"map": map})
    case("grad-cam", "grad-cam", {"x": x, "g": g}, {"map": torch.relu((x * g.mean((0, 1))).sum(-1))})
    case("linear-approximation", "linear-approximation", {"x": x, "g": g}, {"map": torch.einsum("hwc,hwc->hw", x, g)})


def between():
    x, weight, bias = 3 * random(2, 5, 17) + 1, random(17), random(17)
    given = {"x": x, "weight": weight, "bias": bias}
    case("layer-norm", "layer-norm", given, {"y": F.layer_norm(x, (17,), weight, bias)})
    case("layer-norm-plain", "layer-norm eps=0.1", {"x": x}, {"y": F.layer_norm(x, (17,), eps=0.1)})
    for approximate in ["none", "tanh"]:
        y = F.gelu(2 * x, approximate=approximate)
        case(f"gelu-{approximate}", f"gelu approximate={approximate}", {"x": 2 * x}, {"y": y})


def adamw():
    for name, call, step, options in [
        ("adamw", "adamw", 1, {}),
        (
            "adamw-later",
            "adamw step=7 lr=0.02 beta1=0.8 beta2=0.95 eps=1e-4 weight_decay=0.3",
            7,
            {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.3},
        ),
    ]:
        theta, grad = random(3, 11), random(3, 11)
        m, v = (random(3, 11), random(3, 11).abs()) if step > 1 else (torch.zeros(3, 11).double(),) * 2
        parameter = torch.nn.Parameter(theta.clone())
        parameter.grad = grad
        optimizer = torch.optim.AdamW([parameter], **options)
        state = {"step": torch.tensor(step - 1.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
        optimizer.state[parameter].update(state)
        optimizer.step()
        state = optimizer.state[parameter]
        after = {"theta": parameter, "m": state["exp_avg"], "v": state["exp_avg_sq"]}
        case(name, call, {"theta": theta, "grad": grad, "m": m, "v": v}, after)


def main():
    torch.manual_seed(0)
    for part in [attention, through_layers, maps, between, adamw]:
        part()
    save_file(TENSORS, HERE / "mechanisms.safetensors", ABOUT)


if __name__ == "__main__":
    main()
