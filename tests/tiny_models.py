"""Tiny models of several families, and the plain way to compute what the package computes cleverly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.tokens import EncodedExample
from instructerc.testing import tiny_llama


def load(folder: Path | str) -> Backbone:
    """The backbone in a folder, in float32, on the CPU."""
    return load_backbone(str(folder), dtype="float32", precision="float32", device="cpu")


def tiny_bloom(folder: Path) -> Path:
    """ALiBi instead of positions: its forward pass takes no `position_ids`."""
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2, **_sizes(tiny_llama(folder)))
    return _save(BloomForCausalLM, config, folder)


def tiny_mistral(folder: Path, *, window: int = 6) -> Path:
    """Layers that see the last `window` tokens only."""
    return tiny(folder, "mistral", sliding_window=window)


def tiny(folder: Path, model_type: str, **settings: Any) -> Path:
    """A model of any type: four heads of 8, two layers."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = _sizes(tiny_llama(folder))
    sizes["vocab_size"] += 8  # the tokenizer classes of some types bring a few tokens along
    config = AutoConfig.for_model(
        model_type,
        **{
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 256,
            "initializer_range": 0.2,
            "pad_token_id": None,
            **sizes,
            **settings,
        },
    )
    return _save(AutoModelForCausalLM.from_config, config, folder)


SLIDING = {"sliding_window": 5, "layer_types": ["sliding_attention", "sliding_attention"]}
MIXED = {"sliding_window": 5, "layer_types": ["sliding_attention", "full_attention"]}

FAMILIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "bert as a decoder": ("bert", {"is_decoder": True}),
    "gemma": ("gemma", {}),
    "gemma2, mixed": ("gemma2", MIXED),
    "gemma3, mixed": ("gemma3_text", MIXED),
    "gemma3, mixed, as its configuration has it": ("gemma3_text", {"sliding_window": 5, "num_hidden_layers": 6}),
    "glm": ("glm", {}),
    "glm4": ("glm4", {}),
    "llama": ("llama", {}),
    "mistral, sliding": ("mistral", {"sliding_window": 5}),
    "mistral without a window": ("mistral", {"sliding_window": None}),
    "olmo2": ("olmo2", {}),
    "phi3": ("phi3", {}),
    "phi3, sliding": ("phi3", {"sliding_window": 5}),
    "qwen2": ("qwen2", {}),
    "qwen2, mixed": ("qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    "qwen3": ("qwen3", {}),
    "qwen3, sliding": ("qwen3", {"use_sliding_window": True, **SLIDING}),
    "smollm3, every second layer without positions": ("smollm3", {"no_rope_layer_interval": 2}),
    "smollm3, mixed": (
        "smollm3",
        {"no_rope_layer_interval": 2, "use_sliding_window": True, "sliding_window": 5},
    ),
}
"""One model, or several, of each type that takes token trees; windows are shorter than the trees of tests are deep."""


def tiny_family(family: str, folder: Path) -> Path:
    """One of `FAMILIES`."""
    model_type, settings = FAMILIES[family]
    return tiny(folder, model_type, **settings)


def _sizes(folder: Path) -> dict[str, int]:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    return {name: getattr(config, name) for name in ("vocab_size", "bos_token_id", "eos_token_id")}


def _save(family: Any, config: Any, folder: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        family(config).save_pretrained(folder)
    return folder


def logits_alone(backbone: Backbone, ids: Sequence[int]) -> torch.Tensor:
    """Logits [T, V] of one sequence that goes through the model alone: no padding, no cache, no positions given."""
    logits: torch.Tensor = backbone.model(torch.tensor([list(ids)]), use_cache=False).logits[0]
    return logits


def log_likelihoods_alone(backbone: Backbone, example: EncodedExample) -> list[float]:
    """The log-likelihood of every answer, each read in a forward pass of its own."""
    sums = []
    with torch.no_grad():
        for answer in example.answers:
            rows = logits_alone(backbone, (*example.prompt, *answer)).log_softmax(dim=-1)
            start = len(example.prompt) - 1
            sums.append(sum(float(rows[start + place, token]) for place, token in enumerate(answer)))
    return sums
