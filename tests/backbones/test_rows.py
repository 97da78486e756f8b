"""Rows of token trees as forward passes: every path sees what its sequence sees alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.rows import (
    ROW_TOKENS,
    additive_mask,
    block_mask,
    boolean_mask,
    row_budget,
    row_inputs,
    row_logits,
    to_device,
)
from instructerc.trees import Row, pack
from tests.tiny_models import FAMILIES, load, logits_alone, tiny, tiny_family

# Deeper than the windows of the families; trees side by side; one sequence that is the prefix of another.
SEQUENCES = [
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
    [5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23],
    [5, 6, 7, 8, 9, 10, 11, 20],
    [5, 30, 31, 32],
    [40, 41, 42, 43, 44, 45, 46, 47],
]
GROUPS = [[0, 1, 2, 3], [4]]


def row_of(sequences: list[list[int]], groups: list[list[int]]) -> Row:
    (row,) = pack(groups, sequences, budget=10_000)
    return row


def logits_of_paths(backbone: Backbone) -> dict[int, torch.Tensor]:
    row = row_of(SEQUENCES, GROUPS)
    inputs = to_device(row_inputs(backbone, row), backbone.device)
    logits = row_logits(backbone, backbone.model, inputs, range(len(row)))
    return {sequence: logits[torch.from_numpy(path)] for sequence, path in zip(row.sequences, row.paths, strict=True)}


def assert_every_path_sees_what_it_sees_alone(backbone: Backbone, *, attention: str | None = None) -> None:
    """Alone, a sequence is read as the model was loaded; only the row is read with another attention."""
    with torch.no_grad():
        alone = [logits_alone(backbone, sequence) for sequence in SEQUENCES]
        largest = max(float(logits.abs().max()) for logits in alone)
        backbone.model.set_attn_implementation(attention or backbone.model.config._attn_implementation)
        for sequence, found in logits_of_paths(backbone).items():
            assert float((found - alone[sequence]).abs().max()) <= 1e-5 * largest


@pytest.fixture
def uncompiled_flex(monkeypatch: pytest.MonkeyPatch) -> None:
    """FlexAttention as plain PyTorch, which needs no compiler; its own switch for that keeps it from warning."""
    from torch.nn.attention import flex_attention
    from transformers.integrations import flex_attention as integration

    def plain(*states: torch.Tensor, training: bool = False, **arguments: Any) -> Any:
        return flex_attention.flex_attention(*states, **arguments)

    monkeypatch.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    monkeypatch.setattr(integration, "compile_friendly_flex_attention", plain)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("attention", ["sdpa", "eager", "flex_attention"])
def test_every_path_sees_what_it_sees_alone(family: str, attention: str, tmp_path: Path, uncompiled_flex: None) -> None:
    backbone = load(tiny_family(family, tmp_path))
    if attention == "sdpa" and getattr(backbone.model.config, "attn_logit_softcapping", None):
        return  # Gemma 2 caps its scores, which SDPA cannot: `load_backbone` never gives it that
    assert_every_path_sees_what_it_sees_alone(backbone, attention=attention)


@pytest.mark.parametrize("rope_type", ["linear", "llama3", "yarn"])
def test_static_rotary_positions_stay_exact(rope_type: str, tmp_path: Path) -> None:
    rope = {
        "rope_type": rope_type,
        "rope_theta": 10_000.0,
        "factor": 4.0,
        "original_max_position_embeddings": 8,
        **({"low_freq_factor": 1.0, "high_freq_factor": 4.0} if rope_type == "llama3" else {}),
    }
    backbone = load(tiny(tmp_path, "llama", rope_parameters=rope))
    assert_every_path_sees_what_it_sees_alone(backbone)


def test_layers_of_two_kinds_get_a_mask_each(tmp_path: Path) -> None:
    masks = row_inputs(load(tiny_family("gemma3, mixed", tmp_path)), row_of(SEQUENCES, GROUPS))["attention_mask"]
    assert set(masks) == {"full_attention", "sliding_attention"}
    assert masks["sliding_attention"].sum() < masks["full_attention"].sum()


def test_a_window_counts_depth_and_not_places_in_the_row() -> None:
    row = row_of([[1, 2, 3, 4], [1, 2, 3, 5]], [[0, 1]])
    assert row.depths.tolist() == [0, 1, 2, 3, 3]
    last = boolean_mask(row, 2)[0, 0, 4]
    assert last.tolist() == [False, False, True, False, True], "two tokens deep, three places back"


def test_masks_of_all_kinds_say_the_same() -> None:
    row = row_of(SEQUENCES, GROUPS)
    for window in (None, 1, 3):
        seen = boolean_mask(row, window)
        added = additive_mask(row, window)
        assert torch.equal(added == 0, seen)
        assert torch.isfinite(added).all(), "minus infinity becomes NaN where a library adds it twice"
        rule = block_mask(row, window, torch.device("cpu")).mask_mod
        nodes = torch.arange(len(row))
        assert torch.equal(rule(None, None, nodes[:, None], nodes[None, :]), seen[0, 0])


def test_blocks_that_nobody_sees_are_skipped() -> None:
    sequences = [list(range(200)), list(range(300, 500))]
    row = row_of(sequences, [[0], [1]])
    for window in (None, 50):
        blocks = block_mask(row, window, torch.device("cpu"))
        size = blocks.BLOCK_SIZE[0]
        padded = torch.nn.functional.pad(boolean_mask(row, window)[0, 0], (0, -len(row) % size) * 2)
        expected = padded.unfold(0, size, size).unfold(1, size, size).flatten(2).any(dim=-1)
        assert torch.equal(blocks.to_dense()[0, 0].bool(), expected)


def test_arguments_are_put_on_a_device_masks_by_layer_as_well() -> None:
    mask = torch.ones(1)
    moved = to_device({"input_ids": mask, "attention_mask": {"full_attention": mask}}, torch.device("meta"))
    assert moved["input_ids"].is_meta
    assert moved["attention_mask"]["full_attention"].is_meta


def test_a_row_has_room_for_the_longest_sequence_and_some_of_its_siblings(llama: Backbone) -> None:
    assert row_budget(llama, []) == ROW_TOKENS
    assert row_budget(llama, [[0] * 10]) == ROW_TOKENS
    assert row_budget(llama, [[0] * 1000]) > 1000 + ROW_TOKENS / 4


def test_logits_are_computed_where_they_are_asked_for_only(llama: Backbone) -> None:
    row = row_of(SEQUENCES, GROUPS)
    inputs = row_inputs(llama, row)
    with torch.no_grad():
        whole = row_logits(llama, llama.model, inputs, range(len(row)))
        some = row_logits(llama, llama.model, inputs, [1, 4])
    torch.testing.assert_close(some, whole[[1, 4]])
    assert some.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="FlexAttention has a backward pass on a GPU only")
@pytest.mark.parametrize("family", ["llama", "gemma3, mixed", "mistral, sliding"])
def test_gradients_under_flex_are_those_of_sdpa(family: str, tmp_path: Path) -> None:
    model_type, settings = FAMILIES[family]
    backbone = load(tiny(tmp_path, model_type, **settings, head_dim=16))  # narrower heads are too narrow for its kernel
    backbone.model.to("cuda")
    gradients = {}
    for attention in ("sdpa", "flex_attention"):
        backbone.model.set_attn_implementation(attention)
        backbone.model.zero_grad()
        sum(logits.log_softmax(dim=-1)[:, 7].sum() for logits in logits_of_paths(backbone).values()).backward()
        gradients[attention] = torch.cat([tensor.grad.flatten() for tensor in backbone.model.parameters()])
    whole = float(gradients["sdpa"].norm())
    assert float((gradients["flex_attention"] - gradients["sdpa"]).norm()) <= 1e-4 * whole
