"""The loss and its gradient, against a computation that takes one example at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from instructerc.backbones.backbone import Backbone
from instructerc.backbones.tokens import EncodedExample
from instructerc.testing import tiny_llama
from instructerc.training.batches import MicroBatch, PaddedBatching, target_answer
from instructerc.training.objective import weighted_loss
from instructerc.training.tree_batches import TreeBatching
from tests.tiny_models import load, logits_alone, tiny_bloom, tiny_mistral
from tests.training.runs import encoded

Gradient = dict[str, torch.Tensor]


def a_step(backbone: Backbone) -> list[EncodedExample]:
    """Examples of several lengths, labels and weights."""
    found = encoded(backbone)[:10]
    assert len({len(target_answer(example)) for example in found}) > 1
    return [replace(example, weight=1 + 0.5 * (number % 3)) for number, example in enumerate(found)]


def of_step(backbone: Backbone, batches: Sequence[MicroBatch]) -> tuple[float, Gradient]:
    """Loss and gradient as a training step computes them."""
    backbone.model.zero_grad()
    weight = float(sum(batch.weights.sum() for batch in batches))
    total = 0.0
    for batch in batches:
        loss = weighted_loss(backbone, backbone.model, batch) / weight
        loss.backward()
        total += float(loss.detach())
    return total, gradient_of(backbone)


def one_by_one(backbone: Backbone, examples: Sequence[EncodedExample], weighting: str) -> tuple[float, Gradient]:
    """Loss and gradient as method §6 and §7 say them, without padding and without a batch."""
    backbone.model.zero_grad()
    losses, weights = [], []
    for example in examples:
        answer = target_answer(example)
        rows = logits_alone(backbone, (*example.prompt, *answer)).log_softmax(dim=-1)
        start = len(example.prompt) - 1
        tokens = torch.stack([-rows[start + place, token] for place, token in enumerate(answer)])
        each = example.weight / len(answer) if weighting == "answer" else example.weight
        losses.append((tokens * each).sum())
        weights.append(each * len(answer))
    loss = torch.stack(losses).sum() / sum(weights)
    loss.backward()
    return float(loss.detach()), gradient_of(backbone)


def gradient_of(backbone: Backbone) -> Gradient:
    return {name: parameter.grad.clone() for name, parameter in backbone.model.named_parameters()}


def assert_equal(found: tuple[float, Gradient], expected: tuple[float, Gradient]) -> None:
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert found[1].keys() == expected[1].keys()
    for name, tensor in expected[1].items():
        torch.testing.assert_close(found[1][name], tensor, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("weighting", ["answer", "token"])
@pytest.mark.parametrize("micro_batch", [1, 3, 100])
@pytest.mark.parametrize("build", [tiny_llama, tiny_bloom, tiny_mistral])
def test_a_padded_step_is_the_sum_of_its_examples(
    tmp_path: Path, build: Callable[[Path], Path], micro_batch: int, weighting: Any
) -> None:
    backbone = load(build(tmp_path))
    examples = a_step(backbone)
    batching = PaddedBatching(micro_batch=micro_batch, pad=0, loss_weighting=weighting)
    assert_equal(of_step(backbone, batching.micro_batches(examples)), one_by_one(backbone, examples, weighting))


@pytest.mark.parametrize("weighting", ["answer", "token"])
@pytest.mark.parametrize("budget", [64, 4096])
@pytest.mark.parametrize("build", [tiny_llama, tiny_mistral])
def test_a_step_of_token_trees_is_the_sum_of_its_examples(
    tmp_path: Path, build: Callable[[Path], Path], budget: int, weighting: Any
) -> None:
    backbone = load(build(tmp_path))
    examples = a_step(backbone)
    batching = TreeBatching(backbone=backbone, budget=budget, loss_weighting=weighting)
    assert_equal(of_step(backbone, batching.micro_batches(examples)), one_by_one(backbone, examples, weighting))


def test_the_two_weightings_differ_where_answers_differ_in_length(llama: Backbone) -> None:
    examples = a_step(llama)
    by_answer = one_by_one(llama, examples, "answer")[0]
    assert by_answer != pytest.approx(one_by_one(llama, examples, "token")[0], rel=1e-4)


def test_an_example_of_no_weight_changes_nothing(llama: Backbone) -> None:
    examples = a_step(llama)
    batching = PaddedBatching(micro_batch=4, pad=0)
    silent = [*examples, replace(encoded(llama)[20], weight=0.0)]
    assert_equal(of_step(llama, batching.micro_batches(silent)), of_step(llama, batching.micro_batches(examples)))


def test_what_pads_changes_nothing(llama: Backbone) -> None:
    examples = a_step(llama)
    first, second = (PaddedBatching(micro_batch=4, pad=pad).micro_batches(examples) for pad in (0, 77))
    assert_equal(of_step(llama, first), of_step(llama, second))


def test_wrong_answers_of_the_closed_set_do_not_count(llama: Backbone) -> None:
    examples = a_step(llama)
    other = [replace(example, answers=(target_answer(example), (5, 6, 7)), target=0) for example in examples]
    batching = PaddedBatching(micro_batch=4, pad=0)
    assert_equal(of_step(llama, batching.micro_batches(other)), of_step(llama, batching.micro_batches(examples)))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_weighs_every_token_by_how_unsure_it_is(llama: Backbone, gamma: float) -> None:
    examples = a_step(llama)
    batches = TreeBatching(backbone=llama).micro_batches(examples)
    found = sum(float(weighted_loss(llama, llama.model, batch, focal_gamma=gamma).detach()) for batch in batches)
    expected = 0.0
    for example in examples:
        answer = target_answer(example)
        rows = logits_alone(llama, (*example.prompt, *answer)).double().softmax(dim=-1)
        start = len(example.prompt) - 1
        for place, token in enumerate(answer):
            likelihood = float(rows[start + place, token].detach())
            expected -= example.weight / len(answer) * (1 - likelihood) ** gamma * math.log(likelihood)
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_token_that_the_model_is_sure_of_has_a_finite_gradient(llama: Backbone) -> None:
    (batch,) = PaddedBatching(micro_batch=4, pad=0).micro_batches(a_step(llama)[:1])
    with torch.no_grad():
        llama.model.lm_head.weight.zero_()
    sure = llama.model.lm_head.weight
    loss = weighted_loss(llama, _Sure(llama, batch.targets), batch, focal_gamma=0.5)
    loss.backward()
    assert torch.isfinite(loss)
    assert sure.grad is not None
    assert torch.isfinite(sure.grad).all()


class _Sure:
    """Gives the right tokens a likelihood of one, as far as float32 can tell."""

    def __init__(self, backbone: Backbone, targets: torch.Tensor) -> None:
        self.backbone, self.targets = backbone, targets

    def __call__(self, **inputs: Any) -> Any:
        found = self.backbone.model(**inputs)
        found.logits = found.logits + 1000 * torch.nn.functional.one_hot(self.targets, found.logits.shape[-1])
        return found
