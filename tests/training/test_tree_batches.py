"""Training on token trees: the same loss and gradient as on separate sequences, whole conversations a step."""

from __future__ import annotations

import itertools
import math
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from instructerc.training.batches import Batching, PaddedBatching
from instructerc.training.objective import weighted_loss
from instructerc.training.tree_batches import TreeBatching, _bounds
from tests.tiny_models import FAMILIES, load, tiny_family


def labelled(backbone: Backbone) -> list[EncodedExample]:
    spec = PromptSpec(labels=TINY_LABELS, wording="released")
    encoder = PromptEncoder(backbone.tokenizer, 10_000)
    chats = (tiny_conversation(), *tiny_corpus().train[:3])
    return encoder.encode_all(example for chat in chats for example in spec.labelled_examples(chat))


def loss_and_gradients(
    backbone: Backbone, batching: Batching, examples: list[EncodedExample]
) -> tuple[float, dict[str, torch.Tensor]]:
    backbone.model.zero_grad()
    batches = batching.micro_batches(examples)
    weight = sum(float(batch.weights.sum()) for batch in batches)
    total = 0.0
    for batch in batches:
        loss = weighted_loss(backbone, backbone.model, batch) / weight
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    named = backbone.model.named_parameters()
    return total, {name: tensor.grad.clone() for name, tensor in named if tensor.grad is not None}


def assert_trees_learn_the_same(backbone: Backbone, *, budget: int | None) -> None:
    backbone.model.eval()  # no dropout: with it, shared tokens share one mask
    examples = labelled(backbone)
    padded = PaddedBatching(micro_batch=2, pad=backbone.tokenizer.pad_token_id)
    loss, gradients = loss_and_gradients(backbone, padded, examples)
    tree_loss, tree_gradients = loss_and_gradients(backbone, TreeBatching(backbone=backbone, budget=budget), examples)
    assert tree_loss == pytest.approx(loss, rel=1e-5)
    assert tree_gradients.keys() == gradients.keys()
    whole = math.sqrt(sum(float(gradient.square().sum()) for gradient in gradients.values()))
    for name, gradient in gradients.items():
        # Relative to the whole gradient: that of a key bias is zero but for rounding.
        assert float((tree_gradients[name] - gradient).norm()) <= 1e-5 * whole, name


@pytest.mark.parametrize("budget", [None, 150])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["lora", "all"])
def test_loss_and_gradient_are_those_of_separate_sequences(
    family: str, method: str, budget: int | None, tmp_path: Path
) -> None:
    backbone = load(tiny_family(family, tmp_path))
    attach(backbone, AdapterSpec(method=method, dropout=0.0))  # type: ignore[arg-type]
    for name, parameter in backbone.model.named_parameters():
        if "lora_B" in name:  # zero at the start, which would hide the gradient of lora_A
            torch.nn.init.normal_(parameter, std=0.1)
    assert_trees_learn_the_same(backbone, budget=budget)


def test_the_embedded_backbone_learns_the_same() -> None:
    pytest.importorskip(PACKAGE, reason="the extra `offline` is not installed")
    backbone = load_backbone("embedded", precision="float32", device="cpu")
    attach(backbone, AdapterSpec(method="all"))
    assert_trees_learn_the_same(backbone, budget=None)


def example(conversation: int) -> EncodedExample:
    return EncodedExample((1,), ((2, 3),), 0, 1.0, conversation=str(conversation))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 10), st.integers(0, 5))
def test_every_epoch_meets_every_example_once_in_as_many_steps(sizes: list[int], batch_size: int, seed: int) -> None:
    examples = [example(number) for number, size in enumerate(sizes) for _ in range(size)]
    batching = TreeBatching(backbone=None)  # type: ignore[arg-type]
    plan = batching.plan(examples, batch_size, random.Random(seed))
    assert len(plan) == math.ceil(len(examples) / batch_size)
    assert all(plan), "a step without examples has no loss"
    assert sorted(position for step in plan for position in step) == list(range(len(examples)))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40), st.data())
def test_steps_end_in_order_and_none_is_empty(sizes: list[int], data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, len(sizes)))
    cuts = [0, *_bounds(sizes, steps), len(sizes)]
    assert len(cuts) == steps + 1
    assert all(first < second for first, second in itertools.pairwise(cuts))


def test_a_conversation_stays_in_one_step_where_it_fits() -> None:
    examples = [example(number) for number in range(10) for _ in range(4)]
    plan = TreeBatching(backbone=None).plan(examples, 8, random.Random(1))  # type: ignore[arg-type]
    owners = [{examples[position].conversation for position in step} for step in plan]
    assert sum(map(len, owners)) == 10
