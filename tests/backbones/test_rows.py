"""Rows of token trees as forward passes, and which backbones take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import ROW_TOKENS, row_budget, row_inputs, row_logits, takes_trees, use_trees
from instructerc.errors import BackboneError, UsageError
from instructerc.trees import pack
from tests.tiny_models import load, logits_alone, tiny_bloom, tiny_mistral

SEQUENCES = [[5, 6, 7, 8], [5, 6, 9], [5, 10, 11, 12, 13], [20, 21]]


def row_of(sequences: list[list[int]]) -> Any:
    (row,) = pack([list(range(len(sequences)))], sequences, budget=100)
    return row


def assert_every_path_sees_what_it_sees_alone(backbone: Backbone) -> None:
    row = row_of(SEQUENCES)
    with torch.no_grad():
        logits = row_logits(backbone, backbone.model, row_inputs(backbone, row), range(len(row)))
        for sequence, path in zip(row.sequences, row.paths, strict=True):
            alone = logits_alone(backbone, SEQUENCES[sequence])
            torch.testing.assert_close(logits[torch.from_numpy(path)], alone, rtol=0, atol=1e-5)


def test_full_attention_takes_trees(llama: Backbone) -> None:
    assert takes_trees(llama)
    assert_every_path_sees_what_it_sees_alone(llama)
    attach(llama, AdapterSpec(method="lora", rank=2))
    assert takes_trees(llama), "adapters are looked through"


def test_eager_attention_gets_a_mask_that_it_can_add(llama: Backbone) -> None:
    llama.model.set_attn_implementation("eager")
    assert_every_path_sees_what_it_sees_alone(llama)


def test_a_sliding_window_counts_positions_and_not_places_in_the_row(tmp_path: Path) -> None:
    backbone = load(tiny_mistral(tmp_path, window=2))
    assert takes_trees(backbone)
    assert_every_path_sees_what_it_sees_alone(backbone)


def test_a_window_that_no_layer_uses_is_not_applied(llama: Backbone) -> None:
    """Qwen's configurations name a window beside layers that all see everything."""
    free = row_inputs(llama, row_of(SEQUENCES))["attention_mask"]
    llama.model.config.sliding_window = 1
    llama.model.config.layer_types = ["full_attention", "full_attention"]
    assert torch.equal(row_inputs(llama, row_of(SEQUENCES))["attention_mask"], free)
    llama.model.config.layer_types = ["sliding_attention", "sliding_attention"]
    assert row_inputs(llama, row_of(SEQUENCES))["attention_mask"].sum() == len(row_of(SEQUENCES))


def test_positions_in_the_attention_read_padded_batches(tmp_path: Path) -> None:
    backbone = load(tiny_bloom(tmp_path))
    assert not takes_trees(backbone)
    assert not use_trees(backbone, "auto")
    with pytest.raises(BackboneError, match="model type 'bloom' is not known to take token trees: set batching"):
        use_trees(backbone, "tree")


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "unheard-of"},
        {"layer_types": ["full_attention", "sliding_attention"]},
        {"rope_parameters": {"rope_type": "dynamic"}},
        {"_attn_implementation": "flash_attention_2"},
    ],
    ids=str,
)
def test_whatever_is_not_known_to_be_exact_is_read_padded(llama: Backbone, change: dict[str, Any]) -> None:
    class Config:
        model_type = "llama"
        layer_types = ("full_attention",)
        rope_parameters: Any = None
        _attn_implementation = "sdpa"

    config = Config()
    llama.model = type("Model", (), {"config": config, "forward": llama.model.forward})()
    assert takes_trees(llama)
    for name, value in change.items():
        setattr(config, name, value)
    assert not takes_trees(llama)


def test_batching_says_which_by_hand(llama: Backbone) -> None:
    assert [use_trees(llama, batching) for batching in ("auto", "tree", "padded")] == [True, True, False]
    with pytest.raises(UsageError, match="batching is 'trees': choose one of auto, tree, padded"):
        use_trees(llama, "trees")  # type: ignore[arg-type]


def test_a_row_has_room_for_the_longest_sequence_and_some_of_its_siblings(llama: Backbone) -> None:
    assert row_budget(llama, []) == ROW_TOKENS
    assert row_budget(llama, [[0] * 10]) == ROW_TOKENS
    assert row_budget(llama, [[0] * 1000]) > 1000 + ROW_TOKENS / 4


def test_logits_are_computed_where_they_are_asked_for_only(llama: Backbone) -> None:
    row = row_of(SEQUENCES)
    inputs = row_inputs(llama, row)
    with torch.no_grad():
        whole = row_logits(llama, llama.model, inputs, range(len(row)))
        some = row_logits(llama, llama.model, inputs, [1, 4])
    torch.testing.assert_close(some, whole[[1, 4]])
    assert some.dtype == torch.float32
