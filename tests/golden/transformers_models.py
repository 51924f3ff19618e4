"""Makes the goldens of ViT, DeiT and GPT-2: tiny checkpoints with random weights, and what Hugging Face's `transformers`
computes with them on PyTorch.

    pip install torch transformers
    python3 tests/golden/transformers_models.py

NAME/config.json, NAME/model.safetensors   the checkpoint, as `save_pretrained` writes it
NAME/expected.safetensors                  what went in (`images` [batch, row, col, channel] or `tokens` [batch, pos]) and
                                           what came out: `logits`, `hidden.L` (the residual stream before block L),
                                           `pattern.L`, and for GPT-2 `lens.L` (the last norm and the unembedding on
                                           `hidden.L`) and `last` (after the last norm)
gpt2/tokenizer.json, gpt2/tokens.json      a byte-level BPE of 320 tokens, and the ids that it gives to awkward texts
"""

import json
import os
from pathlib import Path

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

HERE = Path(__file__).resolve().parent
VERSIONS = {it.__name__: it.__version__ for it in (torch, transformers, tokenizers)}

TEXTS = {
    "plain": "To be, or not to be, that is the question.",
    "spaces": " leading,  double  and trailing ",
    "empty": "",
    "accents": "Ünïcödé café",
    "emoji": "I \U0001f5a4 transformers \U0001f916!",
    "Chinese": "注意力",
    "lines": "one\ntwo\r\n\tthree",
    "contractions": "it's we'll I'M they've 123 456,789",
    "special": "a<|endoftext|>b",
}

VIT = {
    "image_size": 12,
    "patch_size": 4,
    "num_channels": 3,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "num_labels": 5,
    "attn_implementation": "eager",
}


def randomise(model):
    """Weights of a size at which every part of the model matters: the initial 0.02 hides mistakes."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = "norm" in name or ".ln_" in name
            centre = 1.0 if norm and name.endswith("weight") else 0.0
            parameter.copy_(centre + 0.25 * torch.randn_like(parameter))
    return model.eval()


def save(name, model, golden):
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    golden = {name: value.detach().float().contiguous().clone() for name, value in golden.items()}
    save_file(golden, folder / "expected.safetensors", VERSIONS)


def states(output):
    for l, pattern in enumerate(output.attentions):
        yield f"pattern.{l}", pattern
    for l, hidden in enumerate(output.hidden_states):
        yield f"hidden.{l}", hidden


def image_model(name, model):
    model = randomise(model)
    images = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        output = model(images, output_attentions=True, output_hidden_states=True)
    save(name, model, {"images": images.permute(0, 2, 3, 1), "logits": output.logits, **dict(states(output))})


def byte_level_bpe():
    it = tokenizers.ByteLevelBPETokenizer()
    it.train_from_iterator(list(TEXTS.values()) * 3, vocab_size=320, special_tokens=["<|endoftext|>"], show_progress=False)
    return it


def text_model(name, **changes):
    config = transformers.GPT2Config(
        n_positions=16, n_embd=24, n_layer=2, n_head=3, attn_implementation="eager",
        bos_token_id=0, eos_token_id=0, **changes,
    )
    model = randomise(transformers.GPT2LMHeadModel(config))
    tokens = torch.randint(0, config.vocab_size, (2, 11))
    with torch.no_grad():
        output = model(tokens, output_attentions=True, output_hidden_states=True)
        golden = {"tokens": tokens, "logits": output.logits, **dict(states(output))}
        # The last of transformers' hidden states is after the last norm.
        golden["last"] = golden.pop(f"hidden.{config.n_layer}")
        for l in range(config.n_layer):
            golden[f"lens.{l}"] = model.lm_head(model.transformer.ln_f(golden[f"hidden.{l}"]))
    save(name, model, golden)


def main():
    torch.manual_seed(0)
    image_model("vit", transformers.ViTForImageClassification(transformers.ViTConfig(**VIT)))
    image_model("deit", transformers.DeiTForImageClassificationWithTeacher(transformers.DeiTConfig(**VIT)))
    text_model("gpt2", vocab_size=320)
    # What GPT-2 can be besides: gelu with erf, another width of the MLP, a table of its own to read out.
    text_model("gpt2-untied", vocab_size=64, activation_function="gelu", n_inner=40, tie_word_embeddings=False)
    tokenizer = byte_level_bpe()
    tokenizer.save(str(HERE / "gpt2" / "tokenizer.json"))
    cases = []
    for name, text in TEXTS.items():
        ids = tokenizer.encode(text).ids
        pieces = [tokenizer.decode([id], skip_special_tokens=False) for id in ids]
        cases.append({"name": name, "text": text, "ids": ids, "pieces": pieces})
    lines = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "gpt2" / "tokens.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
