"""Training on token trees: the same loss and gradient as on separate sequences, whole conversations a step."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from instructerc.assets.embedded import PACKAGE
from instructerc.backbones.adapters import AdapterSpec, attach
from instructerc.backbones.backbone import Backbone
from instructerc.backbones.loading import load_backbone
from instructerc.backbones.tokens import EncodedExample, PromptEncoder
from instructerc.prompts import PromptSpec
from instructerc.testing import TINY_LABELS, tiny_conversation, tiny_corpus
from instructerc.training.batches import Batching, PaddedBatching
from instructerc.training.objective import weighted_loss
from instructerc.training.targets import unfolded
from instructerc.training.tree_batches import TreeBatching
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
    batches = batching.micro_batches(list(unfolded(examples)))
    weight = sum(float(batch.weights.sum()) for batch in batches)
    total = 0.0
    for batch in batches:
        loss = weighted_loss(backbone, backbone.model, batch) / weight
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    named = backbone.model.named_parameters()
    return total, {name: tensor.grad.clone() for name, tensor in named if tensor.grad is not None}


def assert_trees_learn_the_same(backbone: Backbone, *, budget: int | None, shares: tuple[float, ...] = ()) -> None:
    backbone.model.eval()  # no dropout: with it, shared tokens share one mask
    examples = [replace(example, shares=shares) for example in labelled(backbone)]
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


def test_the_budget_of_a_row_changes_neither_loss_nor_gradient(llama: Backbone) -> None:
    examples = labelled(llama)
    llama.model.eval()
    whole = loss_and_gradients(llama, TreeBatching(backbone=llama, budget=100_000), examples)
    for budget in (1, 97, 200):
        loss, gradients = loss_and_gradients(llama, TreeBatching(backbone=llama, budget=budget), examples)
        assert loss == pytest.approx(whole[0], rel=1e-5)
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, whole[1][name], rtol=1e-3, atol=1e-5)


def test_prompts_that_are_the_same_or_begin_one_another_stay_separate_targets(llama: Backbone) -> None:
    answers = ((20, 2), (21, 22, 2))
    examples = [
        EncodedExample((1, 5, 6), answers, 0, 1.0, conversation="c"),
        EncodedExample((1, 5, 6), answers, 1, 0.3, conversation="c"),
        EncodedExample((1, 5, 6, 20), answers, 1, 1.0, conversation="c"),
    ]
    (batch,) = TreeBatching(backbone=llama).micro_batches(examples)
    assert batch.positions is not None
    assert batch.inputs["input_ids"].shape[1] == len({(1,), (1, 5), (1, 5, 6), *ENDS})
    assert sorted(batch.targets.tolist()) == sorted([20, 2, 21, 22, 2, 21, 22, 2])
    assert float(batch.weights.sum()) == pytest.approx(2.3)
    loss, _ = loss_and_gradients(llama, TreeBatching(backbone=llama), examples)
    assert loss == pytest.approx(loss_and_gradients(llama, PaddedBatching(micro_batch=1, pad=0), examples)[0], rel=1e-5)


ENDS = ((1, 5, 6, 20), (1, 5, 6, 21), (1, 5, 6, 21, 22), *((1, 5, 6, 20, *rest) for rest in ((21,), (21, 22))))
"""What is read under the common prompt: answers without their end, and the longer prompt with its own."""


@pytest.mark.slow
def test_with_dropout_trees_learn_the_same_on_average(tmp_path: Path) -> None:
    """A shared token has one dropout mask for all its paths: equal in expectation, not draw by draw."""
    backbone = load(tiny_family("llama", tmp_path))
    attach(backbone, AdapterSpec(method="lora", rank=4, dropout=0.3))
    torch.manual_seed(0)
    for name, parameter in backbone.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    examples = labelled(backbone)[:4]
    sides = {
        "trees": TreeBatching(backbone=backbone),
        "alone": PaddedBatching(micro_batch=4, pad=backbone.tokenizer.pad_token_id),
    }
    backbone.model.eval()
    exact = loss_and_gradients(backbone, sides["alone"], examples)[0]
    backbone.model.train()
    drawn = {side: draws(backbone, batching, examples, 120) for side, batching in sides.items()}
    trees, alone = drawn["trees"], drawn["alone"]
    error = (trees.var(dim=0) / len(trees) + alone.var(dim=0) / len(alone)).sqrt()
    assert float(trees[:, 0].std()) > 0
    assert not math.isclose(float(trees[0, 0]), exact), "dropout is on"
    # Loss and 16 directions of the gradient, each of which would pass by chance 9,999 times in 10,000.
    assert bool(((trees.mean(dim=0) - alone.mean(dim=0)).abs() <= 4 * error).all())


def draws(backbone: Backbone, batching: Batching, examples: list[EncodedExample], count: int) -> torch.Tensor:
    """Loss, and the gradient along 16 random directions, of as many draws of dropout, [count, 17]."""
    rows = []
    for _ in range(count):
        loss, gradients = loss_and_gradients(backbone, batching, examples)
        flat = torch.cat([gradient.flatten() for gradient in gradients.values()])
        directions = torch.randn(16, len(flat), generator=torch.Generator().manual_seed(1))
        rows.append(torch.cat([torch.tensor([loss]), directions @ flat]))
    return torch.stack(rows)
