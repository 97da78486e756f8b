"""Attention block by block is dense attention with the mask of the row's square."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tree_attention import (
    IMPLEMENTATION,
    TreePlan,
    attend,
    enable,
    enabled,
    supports,
    tree_arguments,
)
from instructerc.errors import BackboneError
from instructerc.trees import Row, Span, pack
from instructerc.trees.tree import visible
from tests.tiny_models import FAMILIES, load, logits_alone, tiny, tiny_family

SEQUENCES = [[5, 6, 7, 8, 9, 10, 11], [5, 6, 9], [5, 6, 7, 8, 12], [5, 10, 11, 12, 13], [20, 21], [20, 22, 23]]
SUPPORTED = tuple(name for name in FAMILIES if not name.startswith("gemma2"))
TREES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=10)


def row_of(sequences: Sequence[Sequence[int]]) -> Row:
    """One tree for each half of the sequences."""
    half = len(sequences) // 2
    (row,) = pack([range(half), range(half, len(sequences))], sequences, budget=10_000)
    return row


def states(row: Row, *, heads: int, groups: int, size: int = 4, dtype: Any = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, count, len(row), size, dtype=dtype, generator=generator).requires_grad_()
        for count in (heads, groups, groups)
    ]


def dense(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, row: Row, window: int | None = None, **arguments: Any
) -> torch.Tensor:
    mask = visible(row.ends, starts=row.starts)
    if window is not None:
        mask &= row.depths[:, None] - row.depths[None, :] < window
    key, value = (tensor.repeat_interleave(query.shape[1] // tensor.shape[1], dim=1) for tensor in (key, value))
    return scaled_dot_product_attention(query, key, value, attn_mask=torch.from_numpy(mask), **arguments)


def plan_of(row: Row, block: int) -> TreePlan:
    return TreePlan(ends=row.ends, depths=row.depths, starts=row.starts, block=block)


@given(TREES, st.integers(1, 9), st.none() | st.integers(1, 6), st.sampled_from([(2, 2), (4, 2), (3, 1)]))
def test_any_row_in_any_blocks_is_dense_attention(
    sequences: list[list[int]], block: int, window: int | None, heads: tuple[int, int]
) -> None:
    row = row_of(sequences)
    given_states = states(row, heads=heads[0], groups=heads[1])
    expected = dense(*given_states, row, window, scale=0.3)
    output = attend(*given_states, plan_of(row, block), window=window, scale=0.3)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    direction = torch.randn_like(output)
    torch.testing.assert_close(
        torch.autograd.grad(output, given_states, direction),
        torch.autograd.grad(expected, given_states, direction),
        rtol=0,
        atol=1e-11,
    )


@given(st.lists(st.lists(st.sampled_from(((1, 2, 0), (1, 2), (0,), (2, 2, 2, 1))), min_size=1), min_size=1, max_size=6))
def test_spans_that_are_read_in_both_directions_go_through_blocks(parts: list[list[tuple[int, ...]]]) -> None:
    sequences = [[token for part in sequence for token in part] for sequence in parts]
    spans = [[Span(len(part)) for part in sequence] for sequence in parts]
    (row,) = pack([range(len(sequences))], sequences, budget=10_000, spans=spans)
    given_states = states(row, heads=2, groups=1)
    expected = dense(*given_states, row)
    for block in (1, 2, 3, 7):
        output = attend(*given_states, plan_of(row, block))
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    row = row_of(SEQUENCES)
    assert torch.autograd.gradcheck(
        lambda *given_states: attend(*given_states, plan_of(row, 3), window=3), states(row, heads=2, groups=1, size=2)
    )


def test_float32_keeps_its_precision() -> None:
    row = row_of(np.random.default_rng(0).integers(0, 2, (30, 40)).tolist())
    given_states = states(row, heads=4, groups=2, size=8, dtype=torch.float32)
    output, expected = attend(*given_states, plan_of(row, 64)), dense(*given_states, row)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        torch.autograd.grad(output.sum(), given_states),
        torch.autograd.grad(expected.sum(), given_states),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    row = row_of(SEQUENCES)
    given_states = states(row, heads=2, groups=2, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = attend(*given_states, plan_of(row, 4))
    assert output.dtype == dtype
    exact = attend(*(tensor.float() for tensor in given_states), plan_of(row, 4))
    assert torch.equal(output, exact.to(dtype))


def test_dropout_drops_weights_and_keeps_the_mean() -> None:
    row = row_of(SEQUENCES)
    given_states = [tensor.detach() for tensor in states(row, heads=2, groups=1, dtype=torch.float32)]
    torch.manual_seed(0)
    plan = plan_of(row, 4)
    draws = torch.stack([attend(*given_states, plan, dropout=0.3) for _ in range(1000)])
    expected = dense(*given_states, row)
    deviation = draws.std(dim=0)
    assert bool((deviation[..., 1:, :] > 0).all())
    assert bool(((draws.mean(dim=0) - expected).abs() < 5 * deviation / len(draws) ** 0.5 + 1e-6).all())
    # A root sees itself alone: its weight is dropped as a whole, or counts 1 / 0.7.
    root = draws[:, 0, 0, 0, 0] / given_states[2][0, 0, 0, 0]
    assert sorted(set(root.round(decimals=3).tolist())) == pytest.approx([0.0, 1 / 0.7], abs=1e-3)


def test_the_keys_of_a_block_are_its_ancestors_and_itself() -> None:
    sequences = [[*range(100), 200 + number, 300] for number in range(50)]
    row = row_of(sequences)
    blocks = plan_of(row, 16).blocks()
    assert blocks.masks[0] is None, "the beginning of a trunk needs no mask"
    assert max(keys for _, keys in blocks.sizes) <= 100 + 2 + 16
    near = plan_of(row, 16).blocks(window=4)
    assert max(keys for _, keys in near.sizes) <= 3 + 2 + 16


def test_blocks_are_made_once_for_each_window() -> None:
    plan = plan_of(row_of(SEQUENCES), 4)
    assert plan.blocks(3) is plan.blocks(3)
    assert plan.blocks(3) is not plan.blocks()
    assert plan.to("cpu") is plan


@pytest.fixture(params=SUPPORTED)
def backbone(request: pytest.FixtureRequest, tmp_path: Path) -> Backbone:
    return load(tiny_family(request.param, tmp_path))


def row_logits_of(backbone: Backbone, row: Row, block: int = 4) -> torch.Tensor:
    logits: torch.Tensor = backbone.model(
        input_ids=torch.from_numpy(row.tokens)[None],
        position_ids=torch.from_numpy(row.depths)[None],
        use_cache=False,
        **tree_arguments(row, block=block),
    ).logits[0]
    return logits


def gradients(backbone: Backbone, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    backbone.model.zero_grad()
    loss.backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in backbone.model.named_parameters()
        if parameter.grad is not None
    }


def assert_exact(backbone: Backbone, *, tolerance: float = 1e-5) -> None:
    """Logits and gradients are those of the sequences alone, on the library's own attention."""
    row = row_of(SEQUENCES)
    expected = [logits_alone(backbone, sequence) for sequence in SEQUENCES]
    wanted = gradients(backbone, sum((loss_of(logits) for logits in expected), torch.zeros(())))
    assert enable(backbone.model)
    logits = row_logits_of(backbone, row)
    order = dict(zip(row.sequences, row.paths, strict=True))
    paths = [logits[torch.from_numpy(order[number])] for number in range(len(SEQUENCES))]
    largest = max(float(alone.detach().abs().max()) for alone in expected)
    for path, alone in zip(paths, expected, strict=True):
        torch.testing.assert_close(path, alone, rtol=0, atol=tolerance * largest)
    found = gradients(backbone, sum(map(loss_of, paths), torch.zeros(())))
    scale = max(float(gradient.abs().max()) for gradient in wanted.values())
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=tolerance * scale, msg=name)


def loss_of(logits: torch.Tensor) -> torch.Tensor:
    """Something that all logits of a sequence have a part in."""
    return -logits.log_softmax(dim=-1)[:, :7].mean()


def test_rows_give_logits_and_gradients_of_separate_sequences(backbone: Backbone) -> None:
    assert_exact(backbone)


def test_adapters_are_looked_through(llama: Backbone) -> None:
    attach(llama, AdapterSpec(method="lora", rank=2, dropout=0.0))
    for name, parameter in llama.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    assert_exact(llama)
    assert enabled(llama.model)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_keeps_the_plan(llama: Backbone, reentrant: bool) -> None:
    assert enable(llama.model)
    row = row_of(SEQUENCES)
    wanted = gradients(llama, loss_of(row_logits_of(llama, row)))
    llama.model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    llama.model.enable_input_require_grads()
    llama.model.train()
    found = gradients(llama, loss_of(row_logits_of(llama, row)))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def test_attention_dropout_reaches_the_blocks(llama: Backbone) -> None:
    assert enable(llama.model)
    for layer in llama.model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    row = row_of(SEQUENCES)
    assert torch.equal(row_logits_of(llama, row), row_logits_of(llama, row)), "not in evaluation"
    llama.model.train()
    assert not torch.equal(row_logits_of(llama, row), row_logits_of(llama, row))


def test_the_embedded_backbone_is_exact() -> None:
    pytest.importorskip(PACKAGE, reason="the weights of the embedded backbone are not installed")
    embedded = load("embedded")
    attach(embedded, AdapterSpec(method="all"))
    assert_exact(embedded)


def test_without_a_plan_it_is_the_attention_of_the_library(backbone: Backbone) -> None:
    ids = torch.tensor([[0, 0, 5, 6, 7, 8, 9, 10], [5, 9, 8, 7, 6, 5, 4, 3]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 1], [1] * 8])
    other = copy.deepcopy(backbone.model)
    assert other.config._attn_implementation == "sdpa"
    assert enable(backbone.model)
    for arguments in ({"attention_mask": mask}, {}):
        assert torch.equal(backbone.model(ids, **arguments).logits, other(ids, **arguments).logits)
    settings: dict[str, Any] = {"attention_mask": mask, "max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    assert torch.equal(backbone.model.generate(ids, **settings), other.generate(ids, **settings))


def test_checkpoints_do_not_mention_it(llama: Backbone, tmp_path: Path) -> None:
    assert enable(llama.model)
    llama.model.save_pretrained(tmp_path)
    for file in tmp_path.glob("*.json"):
        assert IMPLEMENTATION not in file.read_text(encoding="utf-8")


def test_what_it_cannot_compute_stays_as_it_was(llama: Backbone, tmp_path: Path) -> None:
    gemma = load(tiny(tmp_path, "gemma2"))
    assert not supports(gemma.model.config), "soft-capped"
    before = gemma.model.config._attn_implementation
    assert not enable(gemma.model)
    assert gemma.model.config._attn_implementation == before
    llama.model.set_attn_implementation("eager")
    assert not enable(llama.model), "someone chose another attention"


def test_a_plan_that_is_lost_on_its_way_is_an_error(llama: Backbone) -> None:
    """Whatever the attention: it must not go on without a mask."""
    row = row_of(SEQUENCES)
    for implementation in ("sdpa", "eager"):
        llama.model.set_attn_implementation(implementation)
        with pytest.raises(RuntimeError, match="size"):
            row_logits_of(llama, row)


def test_a_plan_is_for_one_row_and_no_cache(llama: Backbone) -> None:
    assert enable(llama.model)
    row = row_of(SEQUENCES)
    ids = torch.from_numpy(row.tokens)
    with pytest.raises(BackboneError, match=f"a plan of {len(row)} nodes met 2 x {len(row)} tokens: give one row"):
        llama.model(torch.stack([ids, ids]), **tree_arguments(row))


def test_attention_with_more_than_masks_is_refused(llama: Backbone) -> None:
    assert enable(llama.model)
    with pytest.raises(BackboneError, match="has 'softcap', which token trees cannot have"):
        llama.model(torch.from_numpy(row_of(SEQUENCES).tokens)[None], softcap=50.0, **tree_arguments(row_of(SEQUENCES)))
