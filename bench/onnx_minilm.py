"""MiniLM as an ONNX graph, built from the same safetensors that Vitrine loads.

Two users: tests/golden/make.py asks for every tap and records what ONNX Runtime says; the benchmarks ask for the
result and the attention patterns only, and time it. Value names are Vitrine's tap names.

    python3 bench/onnx_minilm.py OUT.onnx      # the benchmark's graph
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

MODEL = Path(__file__).resolve().parent.parent / "models" / "minilm"


class Recorder:
    """Records nodes; `r("Add", a, b)` returns the name of the sum. `out` names a value that may be asked for."""

    def __init__(self):
        self.nodes, self.weights, self.shapes = [], {}, {}

    def __call__(self, op, *inputs, out=None, shape=None, **attributes):
        out = out or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [out], **attributes))
        if shape is not None:
            self.shapes[out] = shape
        return out

    def weight(self, name, value):
        self.weights[name] = numpy_helper.from_array(value.copy(), name)
        return name

    def needed_for(self, outputs):
        """The nodes that lead to `outputs`: a runtime should not be timed on what nobody asked for."""
        needed, nodes = set(outputs), []
        for node in reversed(self.nodes):
            if node.output[0] in needed:
                needed.update(node.input)
                nodes.insert(0, node)
        return nodes


def build(folder=MODEL, outputs=None):
    """The graph from `tokens` [pos] to `outputs` (tap names; None: all of them), for any number of tokens."""
    w = load_file(folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    heads, d = config["num_attention_heads"], config["hidden_size"]
    d_head, d_ff = d // heads, config["intermediate_size"]
    r = Recorder()

    def const(name, *values, dtype="int64"):
        return name if name in r.weights else r.weight(name, np.array(values, dtype))

    def linear(x, at, **tap):
        product = r("MatMul", x, r.weight(f"{at}.weight", w[f"{at}.weight"].T))
        return r("Add", product, r.weight(f"{at}.bias", w[f"{at}.bias"]), **tap)

    def layer_norm(x, at, **tap):
        gain, bias = (r.weight(f"{at}.{n}", w[f"{at}.{n}"]) for n in ("weight", "bias"))
        return r("LayerNormalization", x, gain, bias, epsilon=config["layer_norm_eps"], **tap)

    def attention(x, layer, at):
        tap = f"blocks.{layer}.attn"
        per_head = {"shape": [heads, "pos", d_head]}
        split = const("split", 0, heads, d_head)
        q, k, v = (r("Reshape", linear(x, f"{at}.self.{n}"), split) for n in ("query", "key", "value"))
        r("Transpose", k, perm=[1, 0, 2], out=f"{tap}.k", **per_head)
        q = r("Transpose", q, perm=[1, 0, 2], out=f"{tap}.q", **per_head)
        v = r("Transpose", v, perm=[1, 0, 2], out=f"{tap}.v", **per_head)
        scale = const("scale", d_head**-0.5, dtype="float32")
        square = {"shape": [heads, "pos", "pos"]}
        scores = r("Mul", r("MatMul", q, r("Transpose", k, perm=[1, 2, 0])), scale, out=f"{tap}.scores", **square)
        pattern = r("Softmax", scores, axis=-1, out=f"{tap}.pattern", **square)
        z = r("MatMul", pattern, v, out=f"{tap}.z", **per_head)
        z = r("Reshape", r("Transpose", z, perm=[1, 0, 2]), const("join", 0, d))
        return linear(z, f"{at}.output.dense", out=f"blocks.{layer}.attn_out", shape=["pos", d])

    def block(x, layer):
        at, tap = f"encoder.layer.{layer}", f"blocks.{layer}"
        stream = {"shape": ["pos", d]}
        a = attention(x, layer, f"{at}.attention")
        mid = r("Add", x, a, out=f"{tap}.resid_mid", **stream)
        mid = layer_norm(mid, f"{at}.attention.output.LayerNorm", out=f"{tap}.normalized_resid_mid", **stream)
        pre = linear(mid, f"{at}.intermediate.dense", out=f"{tap}.mlp.pre", shape=["pos", d_ff])
        post = r("Gelu", pre, out=f"{tap}.mlp.post", shape=["pos", d_ff])
        m = linear(post, f"{at}.output.dense", out=f"{tap}.mlp_out", **stream)
        x = r("Add", mid, m, out=f"{tap}.resid_post", **stream)
        return layer_norm(x, f"{at}.output.LayerNorm", out=f"{tap}.normalized_resid_post", **stream)

    # embed: word + position + token type, before the LayerNorm that feeds block 0.
    table = {n: w[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type")}
    word = r("Gather", r.weight("word", table["word"]), "tokens")
    place = r("Slice", r.weight("position", table["position"]), const("0", 0), r("Shape", "tokens"))
    embed = r("Add", r("Add", word, place), r.weight("type", table["token_type"][0]), out="embed", shape=["pos", d])
    x = layer_norm(embed, "embeddings.LayerNorm", out="blocks.0.resid_pre", shape=["pos", d])
    layers = range(config["num_hidden_layers"])
    for layer in layers:
        x = block(x, layer)
        if layer + 1 in layers:
            x = r("Identity", x, out=f"blocks.{layer + 1}.resid_pre", shape=["pos", d])
    final = r("Identity", x, out="final", shape=["pos", d])
    mean = r("ReduceMean", final, const("0", 0), keepdims=0)
    r("LpNormalization", mean, axis=0, p=2, out="pooled", shape=[d])

    info, outputs = helper.make_tensor_value_info, outputs or list(r.shapes)
    graph = helper.make_graph(
        r.needed_for(outputs),
        "minilm",
        [info("tokens", TensorProto.INT64, ["pos"])],
        [info(name, TensorProto.FLOAT, r.shapes[name]) for name in outputs],
        list(r.weights.values()),
    )
    # IR 10 and opset 20: old enough for every runtime we compare with, new enough for Gelu and LayerNormalization.
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    onnx.checker.check_model(model)
    return model


def benchmark_outputs(layers=6):
    """What both sides of a benchmark deliver: the last hidden state and the pattern of every layer."""
    return ["final", *(f"blocks.{layer}.attn.pattern" for layer in range(layers))]


if __name__ == "__main__":
    onnx.save(build(outputs=benchmark_outputs()), sys.argv[1])
