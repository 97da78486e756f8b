"""`backbone.quantization`, `adapter.dora` and `adapter.targets` of a recipe: what fits, and that a run obeys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from instructerc.experiments.arguments import adapter_spec
from instructerc.experiments.run import run_recipe
from instructerc.experiments.schema import Recipe
from instructerc.recognition.artefact import read_artefact
from instructerc.recognition.recognizer import EmotionRecognizer
from instructerc.testing import tiny_llama
from tests.experiments.recipes import recipe, values, write_corpus


def refused(**sections: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate(sections)
    return str(caught.value)


@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_all_parameters_cannot_be_trained_in_few_bits(bits: str) -> None:
    message = refused(backbone={"name": "qwen3-0.6b", "quantization": bits}, adapter={"method": "all"})
    assert f"backbone.quantization: {bits} weights cannot be trained (adapter.method: all): set it to none" in message


def test_the_embedded_backbone_has_float32_weights_only() -> None:
    message = refused(backbone={"name": "embedded", "quantization": "4bit"})
    assert "backbone.quantization: embedded backbones have float32 weights only: set it to none" in message


def test_dora_does_not_go_with_8_bits() -> None:
    message = refused(backbone={"name": "qwen3-0.6b", "quantization": "8bit"}, adapter={"dora": True})
    assert "adapter.dora: does not go together with backbone.quantization: 8bit: take 4bit or none" in message


def test_a_quantised_backbone_may_be_asked_untrained() -> None:
    Recipe.model_validate({"backbone": {"name": "qwen3-0.6b", "quantization": "8bit"}, "adapter": {"method": "none"}})


def test_all_linear_stands_alone() -> None:
    message = refused(adapter={"targets": ["all-linear", "q_proj"]})
    assert "adapter.targets: all-linear stands for all layers: give it alone" in message
    settled = Recipe.model_validate({"adapter": {"targets": ["all-linear"], "rank": 8, "dora": True}})
    spec = adapter_spec(settled)
    assert spec is not None
    assert (spec.targets, spec.rank, spec.dora) == (("all-linear",), 8, True)


@pytest.mark.parametrize("method", ["all", "none"])
def test_dora_has_no_effect_without_adapters(method: str) -> None:
    assert "adapter.dora: has no effect beside adapter.method" in refused(adapter={"method": method, "dora": True})


@pytest.mark.slow
def test_a_run_trains_and_recognises_beside_4_bits(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes (extra `quantize`) is not installed")
    given = values(write_corpus(tmp_path / "corpus"), tiny_llama(tmp_path / "llama"))
    given["backbone"]["quantization"] = "4bit"
    given["adapter"] = {"method": "lora", "rank": 4, "dora": True, "targets": ["all-linear"]}
    given["training"] |= {"epochs": 1, "gradient_checkpointing": True}
    result = run_recipe(recipe(tmp_path, given))
    artefact, place = read_artefact(result.folder)
    assert artefact.quantization == "4bit"
    assert artefact.adapter is not None
    assert (artefact.adapter.dora, artefact.adapter.targets) == (True, ("all-linear",))
    assert json.loads((place / "artefact.json").read_text(encoding="utf-8"))["quantization"] == "4bit"
    assert EmotionRecognizer.from_pretrained(result.folder).backbone.quantization == "4bit"
    assert "beside 4-bit weights" in (place / "README.md").read_text(encoding="utf-8")
