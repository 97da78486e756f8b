"""Which backbones are said to take token trees, and why the others are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instructerc.backbones.abilities import ATTENTIONS, FAMILIES, TreeAbility, tree_ability, windows
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import SIGHTS
from tests import tiny_models
from tests.tiny_models import load, tiny, tiny_bloom, tiny_family


class Config:
    """Of a model that takes trees, until a test changes it."""

    model_type = "qwen3"
    layer_types: Any = ("full_attention", "sliding_attention")
    sliding_window: int | None = 7
    rope_parameters: Any = None
    _attn_implementation = "sdpa"

    def __init__(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self, name, value)


def ability_of(backbone: Backbone, **changes: Any) -> TreeAbility:
    config = Config(**changes)
    backbone.model = type("Model", (), {"config": config, "forward": type(backbone.model).forward})()
    return tree_ability(backbone)


def test_each_type_on_the_list_is_one_that_the_tests_know() -> None:
    assert {model_type for model_type, _ in tiny_models.FAMILIES.values()} == set(FAMILIES)


def test_each_attention_that_is_allowed_can_be_told_who_sees_whom() -> None:
    assert set(SIGHTS) == ATTENTIONS


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_a_family_on_the_list_takes_trees(family: str, tmp_path: Path) -> None:
    backbone = load(tiny_family(family, tmp_path))
    assert tree_ability(backbone) == TreeAbility(able=True)
    attach(backbone, AdapterSpec(method="lora", rank=2))
    assert tree_ability(backbone).able, "adapters are looked through"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "mamba"}, "model type 'mamba' is not on the list of those known to be exact"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "it has layers of kind 'linear_attention'"),
        ({"layer_types": None}, "its configuration does not say what kind each layer is"),
        ({"use_bidirectional_attention": True}, "its prompts are read in both directions"),
        ({"use_bidirectional_attention": "vision"}, "its prompts are read in both directions"),
        ({"is_causal": False}, "its prompts are read in both directions"),
        ({"model_type": "bert", "is_decoder": False}, "its prompts are read in both directions"),
        ({"_attn_implementation": "flash_attention_2"}, "attention 'flash_attention_2' guesses packing from positions"),
        ({"_attn_implementation": "paged|sdpa"}, "attention 'paged|sdpa' is not known to keep to a mask"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_whatever_is_not_known_to_be_exact_says_why(llama: Backbone, changes: dict[str, Any], reason: str) -> None:
    assert ability_of(llama) == TreeAbility(able=True)
    assert ability_of(llama, **changes) == TreeAbility(able=False, reason=reason)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "dynamic", "factor": 2.0},
        {"type": "dynamic"},
        {"rope_type": "longrope"},
        {"full_attention": {"rope_type": "dynamic"}, "sliding_attention": {"rope_type": "default"}},
    ],
    ids=str,
)
def test_rotary_positions_that_may_change_with_the_length_are_refused(llama: Backbone, rope: Any) -> None:
    ability = ability_of(llama, rope_parameters=rope)
    assert not ability.able
    assert "may change with the length of what is read" in ability.reason


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10_000.0},
        {"rope_theta": 10_000.0},
        {"full_attention": {"rope_type": "linear"}, "sliding_attention": {"rope_type": "default"}},
        {"full_attention": {"rope_type": "linear"}, "sliding_attention": None},
    ],
    ids=str,
)
def test_rotary_positions_that_do_not_are_taken(llama: Backbone, rope: Any) -> None:
    assert ability_of(llama, rope_parameters=rope).able


def test_the_older_name_of_rotary_scaling_counts_as_well(llama: Backbone) -> None:
    assert not ability_of(llama, rope_scaling={"type": "dynamic"}).able


def test_positions_in_the_attention_are_refused(tmp_path: Path) -> None:
    assert "model type 'bloom'" in tree_ability(load(tiny_bloom(tmp_path))).reason


def test_a_forward_pass_without_positions_is_refused(llama: Backbone) -> None:
    class Model:
        config = llama.model.config

        def forward(self, input_ids: Any, attention_mask: Any) -> None: ...

    llama.model = Model()
    assert tree_ability(llama).reason == "its forward pass takes no positions"


def test_a_bert_that_reads_both_ways_is_refused(tmp_path: Path) -> None:
    backbone = load(tiny(tmp_path, "bert", is_decoder=True))
    backbone.model.config.is_decoder = False
    assert not tree_ability(backbone).able


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {"full_attention": None, "sliding_attention": 7}),
        ({"layer_types": ["full_attention"] * 2}, {"full_attention": None}),
        ({"layer_types": ["sliding_attention"] * 2}, {"sliding_attention": 7}),
        ({"sliding_window": None}, {"full_attention": None}),
        ({"model_type": "llama"}, {"full_attention": None}),
        ({"model_type": "mistral"}, {"sliding_attention": 7}),
    ],
    ids=str,
)
def test_windows_are_those_that_layers_use(changes: dict[str, Any], found: dict[str, int | None]) -> None:
    assert windows(Config(**changes)) == found
