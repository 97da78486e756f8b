"""The check of trees on a loaded model: what it finds, and that it leaves no trace."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones import rows
from instructerc.backbones.abilities import TreeAbility
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.self_check import LENGTH, ROUNDING, WINDOW, check_trees, largest_difference
from tests.tiny_models import FAMILIES, load, tiny, tiny_family


@pytest.mark.parametrize("family", FAMILIES)
def test_families_that_take_trees_pass(family: str, tmp_path: Path) -> None:
    backbone = load(tiny_family(family, tmp_path))
    assert check_trees(backbone) == TreeAbility(able=True)
    assert largest_difference(backbone) <= 1e-5


@pytest.mark.parametrize("family", ["llama", "gemma3, mixed, as its configuration has it", "bert as a decoder"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "autocast"])
def test_rounding_is_no_difference(family: str, dtype: Any, tmp_path: Path) -> None:
    kind, precision = ("float32", "bf16") if dtype == "autocast" else (dtype, "float32")
    folder = str(tiny_family(family, tmp_path))
    backbone = load_backbone(folder, dtype=kind, precision=precision, device="cpu")  # type: ignore[arg-type]
    assert check_trees(backbone).able
    assert largest_difference(backbone) <= ROUNDING["float16" if dtype == "float16" else "bfloat16"] / 2


def test_the_embedded_backbone_passes() -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    for precision in ("float32", "bf16"):
        assert check_trees(load_backbone("embedded", precision=precision, device="cpu")).able  # type: ignore[arg-type]


def sight(monkeypatch: pytest.MonkeyPatch, build: Any) -> None:
    monkeypatch.setattr(rows, "SIGHTS", {"sdpa": build, "eager": build})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_row_read_as_one_text_is_found(dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone(str(tiny_family("llama", tmp_path)), dtype=dtype, precision="float32", device="cpu")
    causal = torch.ones(100, 100, dtype=torch.bool).tril()
    sight(monkeypatch, lambda row, *_: {"attention_mask": causal[None, None, : len(row), : len(row)]})
    ability = check_trees(backbone)
    assert not ability.able
    assert "logits of trees differ from those of separate sequences by" in ability.reason
    assert f"of the largest, over {ROUNDING[dtype]:g}" in ability.reason


@pytest.mark.parametrize("window", [5, 4096])
@pytest.mark.parametrize("family", ["mistral", "gemma3_text"])
def test_a_window_that_is_not_kept_is_found_however_wide(
    family: str, window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load(tiny(tmp_path, family, sliding_window=window))
    assert check_trees(backbone).able
    sight(monkeypatch, lambda row, *_: {"attention_mask": rows.boolean_mask(row, None)})
    assert not check_trees(backbone).able


def test_a_window_counted_in_places_of_the_row_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_place(row: Any, reach: Any, _: Any) -> Any:
        nodes = torch.arange(len(row))
        near = nodes[:, None] - nodes[None, :] < reach["sliding_attention"]
        return {"attention_mask": rows.boolean_mask(row, None) & near}

    backbone = load(tiny(tmp_path, "mistral", sliding_window=100))
    sight(monkeypatch, by_place)
    assert not check_trees(backbone).able


def test_positions_that_are_places_in_the_row_are_found(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def places(backbone: Backbone, row: Any) -> Any:
        return {**rows.row_inputs(backbone, row), "position_ids": torch.arange(len(row))[None]}

    monkeypatch.setattr("instructerc.backbones.self_check.row_inputs", places)
    assert not check_trees(llama).able


def test_a_boolean_mask_that_eager_attention_adds_is_found(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    llama.model.set_attn_implementation("eager")
    sight(monkeypatch, rows.SIGHTS["sdpa"])
    assert not check_trees(llama).able


def test_logits_that_are_no_numbers_do_not_pass(llama: Backbone) -> None:
    with torch.no_grad():
        llama.model.get_output_embeddings().weight.fill_(float("nan"))
    assert not check_trees(llama).able


def test_a_model_that_breaks_on_a_row_says_how(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("\nno such kernel\nand a long story")

    sight(monkeypatch, broken)
    reason = "reading a row of trees failed (RuntimeError: no such kernel)"
    assert check_trees(llama) == TreeAbility(able=False, reason=reason)


def test_paths_are_deeper_than_the_window() -> None:
    assert LENGTH > WINDOW


def states() -> list[Any]:
    return [torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()]  # type: ignore[index]


@pytest.mark.parametrize("breaks", [False, True])
def test_it_leaves_no_trace(breaks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load(tiny(tmp_path, "gemma3_text", sliding_window=100, attention_dropout=0.5))
    attach(backbone, AdapterSpec(method="lora", dropout=0.5))
    model = backbone.model.train()
    model.get_base_model().lm_head.eval()
    modes = [module.training for module in model.modules()]
    windows = [vars(module).get("sliding_window") for module in model.modules()]
    config, before = model.config.to_dict(), states()
    if breaks:
        sight(monkeypatch, lambda *_: {"attention_mask": "none"})
    assert check_trees(backbone).able is not breaks
    assert [module.training for module in model.modules()] == modes
    assert [vars(module).get("sliding_window") for module in model.modules()] == windows
    assert 100 in windows
    assert model.config.to_dict() == config
    assert states() == before
    assert all(parameter.grad is None for parameter in model.parameters())
