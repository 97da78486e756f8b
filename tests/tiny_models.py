"""Tiny models of several families, and the plain way to compute what the package computes cleverly."""

from __future__ import annotations

from collections.abc import Sequence
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
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        sliding_window=window,
        initializer_range=0.2,
        **_sizes(tiny_llama(folder)),
    )
    return _save(MistralForCausalLM, config, folder)


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
