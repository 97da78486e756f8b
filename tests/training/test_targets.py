"""What each answer of an example counts: label smoothing and teachers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from instructerc.backbones.tokens import EncodedExample
from instructerc.training.batches import PaddedBatching, StepDataset
from instructerc.training.grouping import ByConversation
from instructerc.training.targets import LEAST, soft_target, unfolded
from instructerc.training.tree_batches import TreeBatching
from tests.tiny_models import load
from tests.training.test_tree_batches import assert_trees_learn_the_same, labelled, loss_and_gradients


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=7), st.floats(0, 0.9), st.data())
def test_smoothing_is_that_of_torch(logits: list[float], smoothing: float, data: st.DataObject) -> None:
    target = data.draw(st.integers(0, len(logits) - 1))
    values = torch.tensor(logits, dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(values, torch.tensor(target), label_smoothing=smoothing)
    shares = torch.tensor(soft_target(target, len(logits), smoothing=smoothing), dtype=torch.float64)
    assert float(-(shares * values.log_softmax(0)).sum()) == pytest.approx(float(expected), abs=1e-9)


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=7),
    st.floats(0.01, 1),
    st.floats(0, 0.9),
    st.data(),
)
def test_shares_are_one_together_and_the_label_has_at_least_its_own(
    beliefs: list[float], weight: float, smoothing: float, data: st.DataObject
) -> None:
    target = data.draw(st.integers(0, len(beliefs) - 1))
    taught = [belief / sum(beliefs) for belief in beliefs]
    shares = soft_target(target, len(beliefs), smoothing=smoothing, taught=taught, weight=weight)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0
    assert shares[target] >= (1 - smoothing) * (1 - weight) - 1e-9


def test_what_teachers_hardly_believe_costs_no_tokens() -> None:
    assert soft_target(0, 3, taught=(0.5, 0.5 - LEAST / 2, LEAST / 2), weight=1)[2] == 0


def test_teachers_of_many_labels_are_heard_however_little_they_believe_of_each() -> None:
    assert soft_target(0, 200, taught=(0.0075, *(0.9925 / 199,) * 199), weight=1)[0] == 1


def test_an_example_is_learned_once_for_each_answer_that_counts() -> None:
    example = EncodedExample((1, 5), ((7, 2), (8, 2), (9, 2)), 0, 2.0, shares=(0.75, 0.0, 0.25))
    assert [(part.target, part.weight, part.shares) for part in unfolded([example])] == [(0, 1.5, ()), (2, 0.5, ())]
    plain = replace(example, shares=())
    assert list(unfolded([plain])) == [plain]


@pytest.mark.parametrize("trees", [True, False])
def test_the_loss_is_the_sum_of_the_losses_of_the_answers_each_with_its_share(llama_folder: Path, trees: bool) -> None:
    backbone = load(llama_folder)
    backbone.model.eval()
    examples = labelled(backbone)
    answers = len(examples[0].answers)
    shares = tuple((answers - position) / sum(range(1, answers + 1)) for position in range(answers))
    batching = (
        TreeBatching(backbone=backbone) if trees else PaddedBatching(micro_batch=4, pad=backbone.tokenizer.pad_token_id)
    )
    loss, _ = loss_and_gradients(backbone, batching, [replace(example, shares=shares) for example in examples])
    alone = [
        loss_and_gradients(backbone, batching, [replace(example, target=position) for example in examples])[0]
        for position in range(answers)
    ]
    assert loss == pytest.approx(sum(share * one for share, one in zip(shares, alone, strict=True)), rel=1e-5)


def test_trees_learn_shares_as_padded_batches_do(llama_folder: Path) -> None:
    backbone = load(llama_folder)
    answers = len(labelled(backbone)[0].answers)
    assert_trees_learn_the_same(backbone, budget=None, shares=soft_target(1, answers, smoothing=0.3))


def test_a_step_counts_what_its_answers_count_however_many_processes_share_it(llama_folder: Path) -> None:
    backbone = load(llama_folder)
    answers = len(labelled(backbone)[0].answers)
    examples = [replace(example, shares=soft_target(0, answers, smoothing=0.5)) for example in labelled(backbone)]
    for weighting in ("answer", "token"):
        batching = TreeBatching(backbone=backbone, loss_weighting=weighting)
        steps = StepDataset(examples, ByConversation(), batching, 8, 1)
        whole = steps[0]["weight"]
        assert whole == pytest.approx(sum(map(steps._weight, next(steps.steps()))), rel=1e-5)
