"""Weights that are cast once give the bits of weights that are cast at every pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from instructerc.assets import embedded as assets
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.settling import settle
from instructerc.errors import UsageError
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.recognition.scoring import PaddedScoring
from instructerc.recognition.tree_scoring import TreeScoring
from tests.recognition.scores import encode
from tests.tiny_models import load


def half(name: Path | str, *, lora: bool = False) -> Backbone:
    found = load(name)
    if lora:
        torch.manual_seed(0)
        attach(found, AdapterSpec(rank=4))
        with torch.no_grad():
            for parameter in found.model.parameters():
                if parameter.requires_grad:
                    parameter.normal_(std=0.1)
    found.model.eval()
    found.autocast = True
    return found


def scores(backbone: Backbone, *, trees: bool) -> list[list[float]]:
    examples = encode(backbone)
    return TreeScoring().score(backbone, examples) if trees else PaddedScoring().score(backbone, examples)


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("trees", [False, True])
def test_scores_of_a_llama_are_the_same_bits(llama_folder: Path, lora: bool, trees: bool) -> None:
    backbone = half(llama_folder, lora=lora)
    before = scores(backbone, trees=trees)
    settle(backbone)
    assert scores(backbone, trees=trees) == before


@pytest.mark.parametrize("name", ["embedded", "embedded-encoder"])
def test_scores_of_the_embedded_backbones_are_the_same_bits_and_words_stay_precise(name: str) -> None:
    pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")
    backbone = half(name)
    before = scores(backbone, trees=False)
    settle(backbone)
    assert scores(backbone, trees=False) == before
    assert backbone.model.get_input_embeddings().weight.dtype == torch.float32  # the head shares them
    assert backbone.model.get_output_embeddings().weight.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_backbone_that_computes_as_precisely_as_its_weights_is_left_alone(llama_folder: Path, dtype: str) -> None:
    backbone = load_backbone(str(llama_folder), dtype=dtype, precision="float32", device="cpu")  # type: ignore[arg-type]
    before = list(backbone.model.parameters())
    settle(backbone)
    assert all(one is other for one, other in zip(backbone.model.parameters(), before, strict=True))


def test_a_model_that_is_loaded_to_be_asked_is_settled() -> None:
    pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")
    backbone = EmotionRecognizer.from_pretrained("embedded", device="cpu").backbone
    linear = [module for module in backbone.model.modules() if type(module) is torch.nn.Linear]
    assert linear
    assert {module.weight.dtype for module in linear} == {torch.bfloat16 if backbone.autocast else torch.float32}


def test_a_model_that_is_asked_in_float32_keeps_its_weights() -> None:
    pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")
    backbone = EmotionRecognizer.from_pretrained("embedded", device="cpu", precision="float32").backbone
    assert not backbone.autocast
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}


def test_a_precision_that_nobody_knows_is_refused() -> None:
    pytest.importorskip(assets.PACKAGE, reason="the weights of the embedded backbones are not installed")
    with pytest.raises(UsageError, match="choose one of auto, bf16, float32"):
        EmotionRecognizer.from_pretrained("embedded", precision="half")  # type: ignore[arg-type]
