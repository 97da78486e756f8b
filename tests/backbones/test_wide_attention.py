"""SDPA with a backward pass in float32: another precision, the same attention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.assets import embedded as assets
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.tokens import PromptEncoder
from instructerc.backbones.wide_attention import IMPLEMENTATION, widened
from instructerc.prompts import PromptSpec
from instructerc.testing import TINY_LABELS, tiny_corpus
from instructerc.training.batches import PaddedBatching
from instructerc.training.objective import weighted_loss
from tests.tiny_models import load


@pytest.fixture(params=["embedded-encoder", "embedded", "tiny-llama"])
def backbone(request: pytest.FixtureRequest, llama_folder: Path) -> Backbone:
    """To be trained, in bfloat16."""
    if request.param == "tiny-llama":
        return half(llama_folder)
    pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")
    return half(request.param)


def half(name: str | Path) -> Backbone:
    found = load(name)
    attach(found, AdapterSpec(method="all"))
    found.autocast = True
    return found


def gradients(backbone: Backbone) -> dict[str, torch.Tensor]:
    backbone.model.eval()  # no dropout
    spec = PromptSpec(labels=TINY_LABELS)
    encoder = PromptEncoder.of(backbone, spec)
    examples = encoder.encode_all(example for chat in tiny_corpus().train[:2] for example in spec.examples(chat))
    batching = PaddedBatching(micro_batch=8, pad=backbone.tokenizer.pad_token_id, both_ways=backbone.both_ways)
    batch = batching.micro_batches(examples)[0]
    backbone.model.zero_grad()
    weighted_loss(backbone, backbone.model, batch).backward()
    return {name: value.grad.clone() for name, value in backbone.model.named_parameters() if value.grad is not None}


def distance(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """Between two gradients, as a share of the second's length."""
    assert first.keys() == second.keys()
    squares = [(((first[name] - second[name]) ** 2).sum(), (second[name] ** 2).sum()) for name in second]
    return float((sum(apart for apart, _ in squares) / sum(whole for _, whole in squares)) ** 0.5)


def test_gradients_are_as_near_to_float32_as_those_in_half_precision(backbone: Backbone) -> None:
    narrow = gradients(backbone)
    with widened(backbone) as wide:
        assert wide
        assert backbone.model.config._attn_implementation == IMPLEMENTATION
        found = gradients(backbone)
    assert backbone.model.config._attn_implementation == "sdpa"
    backbone.autocast = False
    exact = gradients(backbone)
    assert 0 < distance(found, exact) <= 1.1 * distance(narrow, exact)


def test_recognition_in_the_middle_of_a_training_is_what_it_is_without(backbone: Backbone) -> None:
    ids = torch.arange(1, 9)[None]

    def logits() -> Any:
        with torch.inference_mode(), backbone.computing():
            return backbone.model(input_ids=ids).logits

    before = logits()
    with widened(backbone):
        assert torch.equal(logits(), before)


def test_float32_and_other_attentions_are_left_alone(llama_folder: Path) -> None:
    with widened(load(llama_folder)) as wide:
        assert not wide
    eager = load_backbone(str(llama_folder), dtype="bfloat16", attention="eager")
    with widened(eager) as wide:
        assert not wide
        assert eager.model.config._attn_implementation == "eager"


def test_a_training_that_fails_leaves_attention_as_it_was(llama_folder: Path) -> None:
    backbone = half(llama_folder)
    with pytest.raises(KeyboardInterrupt), widened(backbone):
        raise KeyboardInterrupt
    assert backbone.model.config._attn_implementation == "sdpa"
