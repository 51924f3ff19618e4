"""Makes the goldens of `vitrine run`: what PyTorch computes in f64 with the formulas of the papers, written as plainly as
can be.

    pip install torch safetensors
    pip install --no-deps torchscale
    python3 tests/golden/mechanisms.py

mechanisms.safetensors  `CASE/in/NAME` and `CASE/out/NAME`, all f32. Metadata: `CASE` says which mechanism with which
                        settings (`attention causal=true`), and the versions that made the file.
"""

import sys
import types
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
TENSORS, ABOUT = {}, {"torch": torch.__version__, "torchscale": "0.3.0"}


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


def variants():
    """Attention with everything that can be varied, one thing after the other."""
    h, t, d, e = 2, 7, 4, 3
    q, k, v = random(h, t, d), random(h, t, d), random(h, t, e)
    scores = torch.einsum("hid,hjd->hij", q, k) / d**0.5
    given = {"q": q, "k": k, "v": v}

    def variant(name, settings, pattern, z=None, **more):
        inputs = {**given, **{key: value for key, value in more.items() if key != "lse"}}
        outputs = {"pattern": pattern, "z": pattern @ v if z is None else z}
        outputs.update({"lse": more["lse"]} if "lse" in more else {})
        case(f"attention-{name}", " ".join(["attention", *settings]), inputs, outputs)

    variant("sigmoid", ["normaliser=sigmoid"], torch.sigmoid(scores - torch.tensor(t).double().log()))
    variant("sigmoid-bias", ["normaliser=sigmoid", "bias=0.5"], torch.sigmoid(scores + 0.5))
    clipped = (1.3 * scores.softmax(-1) - 0.1).clamp(0, 1)
    variant("clipped", ["normaliser=clipped", "zeta=1.2", "gamma=-0.1"], clipped)
    for kept in [2, 5]:
        values, places = scores.topk(kept)
        sparse = torch.zeros_like(scores).scatter(-1, places, values.softmax(-1))
        variant(f"top-{kept}", ["normaliser=top-k", f"k={kept}"], sparse)
    maps = {"relu": torch.relu(scores), "square": torch.relu(scores) ** 2, "softplus": F.softplus(scores)}
    for name, positive in maps.items():
        variant(f"l1-{name}", ["normaliser=l1", f"map={name}"], F.normalize(positive, p=1, dim=-1))
    variant("linear", ["normaliser=none", "causal=true"], torch.tril(scores))
    cosine = F.cosine_similarity(q[:, :, None], k[:, None], dim=-1)
    variant("cosine", ["score=cosine", "scale=8"], (8 * cosine).softmax(-1))
    kernel = torch.exp(-0.5 * torch.cdist(q, k) ** 2)
    variant("kernel", ["score=distance", "scale=1"], kernel / kernel.sum(-1, keepdim=True))
    multiply, add, weigh = random(h, t, t), random(h, t, t), random(h, t, t).abs()
    mask = (torch.rand(h, t, t) < 0.6).double()
    mask[:, range(t), range(t)] = 1
    logits = (scores * multiply + add).masked_fill(mask == 0, -torch.inf)
    pattern = logits.softmax(-1) * weigh
    pattern = pattern / pattern.sum(-1, keepdim=True)
    gate = random(h, t, e)
    fields = {"multiply": multiply, "add": add, "mask": mask, "weigh": weigh, "gate": gate}
    settings = ["renormalise=true", "lse=true"]
    variant("fields", settings, pattern, pattern @ v * gate, lse=logits.logsumexp(-1), **fields)


def retained(q, k, v, gamma):
    """Token by token, head by head, as sums."""
    h, t, d = q.shape
    z, decay, state = torch.zeros_like(v), torch.zeros(h, t, t).double(), torch.zeros(h, d, v.shape[-1]).double()
    for head in range(h):
        for n in range(t):
            for m in range(n + 1):
                decay[head, n, m] = gamma[head] ** (n - m)
                z[head, n] += decay[head, n, m] * (q[head, n] @ k[head, m]) * v[head, m]
            state[head] += gamma[head] ** (t - 1 - n) * torch.outer(k[head, n], v[head, n])
    return {"z": z, "decay": decay, "state": state}


def turned(x):
    """Pairs of channels as complex numbers."""
    h, t, d = x.shape
    theta = 1 / 10000 ** torch.linspace(0, 1, d // 2).double()
    turn = torch.polar(torch.ones(t, d // 2).double(), torch.arange(t).double()[:, None] * theta)
    return torch.view_as_real(torch.view_as_complex(x.reshape(h, t, d // 2, 2).contiguous()) * turn).reshape(h, t, d)


def retention():
    gamma = 1 - 2.0 ** (-5 - torch.arange(3).double())
    for name, call, (t, d, e), gamma in [
        ("retention", "retention", (11, 4, 3), gamma),
        ("retention-recurrent", "retention form=recurrent", (13, 5, 2), gamma),
        ("retention-chunkwise", "retention form=chunkwise chunk=4", (14, 4, 6), torch.tensor([0.5, 1.0, 0.9])),
        ("retention-long", "retention form=chunkwise chunk=37", (80, 2, 2), gamma),
        ("retention-none", "retention", (5, 2, 2), torch.tensor([0.0, 0.25, 1.0])),
    ]:
        gamma = gamma.float().double()
        q, k, v = random(3, t, d), random(3, t, d), random(3, t, e)
        case(name, call, {"q": q, "k": k, "v": v, "gamma": gamma}, retained(q, k, v, gamma))


def torchscale_retention():
    """What torchscale computes in its three forms, between its projections and its gate. It scales rows to keep them in the
    range of f16, and its norm takes that out again: only what comes after the norm is comparable."""
    stubs = ["timm", "timm.models", "timm.models.layers", "fairscale", "fairscale.nn"]
    stubs += [f"torchscale.component.{it}" for it in ["xmoe.moe_layer", "xmoe.routing", "feedforward_network"]]
    for name in [*stubs, "torchscale.architecture.utils"]:
        stub = types.ModuleType(name)
        stub.__getattr__ = lambda _: None
        sys.modules[name] = stub
    from torchscale.architecture.retnet import RetNetRelPos
    from torchscale.component.multiscale_retention import MultiScaleRetention, theta_shift

    h, t, d, e, chunk = 4, 12, 6, 5, 4
    args = types.SimpleNamespace(
        decoder_embed_dim=h * d, decoder_retention_heads=h, recurrent_chunk_size=chunk, layernorm_eps=0.0, multiway=False
    )
    layer = MultiScaleRetention(args, h * d, h * e, h).double()
    positions = RetNetRelPos(args).double()
    layer.group_norm.forward = lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True))  # in f64
    q, k, v = random(1, h, t, d), random(1, h, t, d), random(1, h, t, e)
    flat = v.transpose(1, 2).reshape(1, t, h * e)
    gamma = positions.decay.exp().float().double()
    positions.decay.copy_(gamma.log())

    def shifted(at, n=slice(None)):
        return [theta_shift(x[:, :, n], *at) for x in (q, k * layer.scaling)]

    def normed(output):
        return layer.group_norm(output.reshape(1, t, h, e)).transpose(1, 2)[0]

    at, mask = positions(t)
    parallel = normed(layer.parallel_forward(*shifted(at), flat, mask))
    at, inner = positions(t, chunkwise_recurrent=True)
    chunkwise = normed(layer.chunk_recurrent_forward(*shifted(at), flat, inner))
    steps, memory = [], {}
    for n in range(t):
        at, decay = positions(n + 1, activate_recurrent=True)
        qr, kr = shifted(at, slice(n, n + 1))
        out = layer.recurrent_forward(qr.reshape(1, h, 1, d), kr.reshape(1, h, 1, d), flat[:, n : n + 1], decay, memory)
        steps.append(layer.group_norm(out.reshape(1, 1, h, e)))
    recurrent = torch.cat(steps, 1).transpose(1, 2)[0]
    plain = retained(turned(q[0]), turned(k[0]) * layer.scaling, v[0], gamma)
    given = {"q": q[0], "k": k[0], "v": v[0], "gamma": gamma}
    for form, z in {"parallel": parallel, "chunkwise": chunkwise, "recurrent": recurrent}.items():
        call = f"retention form={form} chunk={chunk} rotate=true scale={layer.scaling:.9} norm=rms eps=0"
        case(f"torchscale-{form}", call, given, {**plain, "z": z})


def grid(height, width):
    places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).double()
    return torch.cdist(places, places, p=1).round(), (torch.cdist(places, places) ** 2).round()


def masks():
    (h, height, width, d, e), components = (3, 3, 4, 5, 2), 4
    n = height * width
    q, k, v = random(h, n, d), random(h, n, d), random(h, n, e)
    manhattan, squared = grid(height, width)
    alpha, sigma = 2 * random(components, h), 1.5 * random(components, h)
    # As the authors have it: powers of one frozen mask.
    base = torch.exp(-squared / 2)
    mask = sum(alpha[c][:, None, None] * base ** (1 / (sigma[c] ** 2 + 1e-5))[:, None, None] for c in range(components))
    size = f"height={height} width={width}"
    given, qkv = {"alpha": alpha, "sigma": sigma}, {"q": q, "k": k, "v": v}

    def masked(mask):
        pattern = (mask * (q @ k.transpose(1, 2)) / d**0.5).softmax(-1)
        return {"pattern": pattern, "z": pattern @ v}

    case("gaussian-mask", f"gaussian-mask {size}", {**given, **qkv}, {"mask": mask, **masked(mask)})
    case("gaussian-mask-alone", f"gaussian-mask {size}", given, {"mask": mask})
    elements = random(n, n)
    case("elementwise-mask", "elementwise-mask", {"mask": elements, **qkv}, masked(elements))

    gamma = (1 - 2.0 ** -(2 + 4 * torch.arange(h).double() / h)).float().double()
    heads = gamma[:, None, None]
    scores = q @ k.transpose(1, 2)
    fields = {"code": manhattan * heads.log(), "paper": heads**manhattan}
    patterns = {"code": (scores + fields["code"]).softmax(-1), "paper": scores.softmax(-1) * fields["paper"]}
    for form, mask in fields.items():
        for decomposed in [False, True]:
            z = by_axes(q, k, v, gamma, height, width, form) if decomposed else patterns[form] @ v
            call = f"rmt-decay {size} form={form} decomposed={str(decomposed).lower()}"
            name = f"rmt-{form}-{'decomposed' if decomposed else 'full'}"
            case(name, call, {"gamma": gamma, **qkv}, {"mask": mask, "pattern": patterns[form], "z": z})


def by_axes(q, k, v, gamma, height, width, form):
    """Rows first, then columns, one line after the other."""

    def line(q, k, v, gamma):
        steps = (torch.arange(len(q))[:, None] - torch.arange(len(q))).abs().double()
        scores = q @ k.T
        if form == "code":
            return (scores + steps * gamma.log()).softmax(-1) @ v
        return (scores.softmax(-1) * gamma**steps) @ v

    heads = []
    for h in range(len(gamma)):
        q2, k2, v2 = (x[h].reshape(height, width, -1) for x in (q, k, v))
        v2 = torch.stack([line(q2[r], k2[r], v2[r], gamma[h]) for r in range(height)])
        z = torch.stack([line(q2[:, c], k2[:, c], v2[:, c], gamma[h]) for c in range(width)], 1)
        heads.append(z.reshape(height * width, -1))
    return torch.stack(heads)


def main():
    torch.manual_seed(0)
    for part in [attention, through_layers, maps, between, adamw, variants, retention, torchscale_retention, masks]:
        part()
    save_file(TENSORS, HERE / "mechanisms.safetensors", ABOUT)


if __name__ == "__main__":
    main()
